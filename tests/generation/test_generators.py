"""The pipeline asks a `Generator` for completions, and hands it what its capabilities say that it takes."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_folder import make_model_folder

from evalharness.generation import Prompting, Settings, TorchGenerator
from evalharness.pipeline.completing import complete
from evalharness.pipeline.loading import load
from evalharness.pipeline.target import find_target
from evalharness.progress import Silent
from evalharness.records import Completion
from evalharness.runs.folder import RunFolder

SETTINGS = Settings(max_new_tokens=12)


class TextOnly:
    """Completes the text of a prompt, as an API does: it takes no ids and gives none. A torch model does the work."""

    capabilities = frozenset({"seed"})
    context_length = None

    def __init__(self, checkpoint):
        self.inner = TorchGenerator(checkpoint.model, checkpoint.tokenizer, Prompting(), SETTINGS)
        self.asked = []

    def complete(self, requests):
        from dataclasses import replace

        self.asked += requests
        encode = self.inner.tokenizer.encode
        for made in self.inner.complete([replace(r, prompt_ids=tuple(encode(r.prompt))) for r in requests]):
            yield replace(made, token_ids=None, token_entropy_nats=None)

    def usual_s(self, requests):
        return None


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    folder = make_model_folder(tmp_path_factory.mktemp("generators"))
    asked = {"problems": (str(folder / "own.jsonl"),), "samples": 2, "seed": 3, "trust": True}
    return load(find_target(folder / "model.pt", asked), Silent())


def texts(made: dict) -> dict:
    return {group: [completion.text for completion in members] for group, members in made.items()}


def test_a_generator_that_takes_no_ids_gets_the_text_and_its_completions_have_no_ids(work, tmp_path: Path):
    generator = TextOnly(work.checkpoint)
    with RunFolder(tmp_path / "text") as folder:
        made = complete(work, folder, SETTINGS, generator)
    assert {request.prompt_ids for request in generator.asked} == {None}
    assert {request.prompt for request in generator.asked} == {problem.prompt for problem in work.problems.values()}
    completions = [completion for members in made.values() for completion in members]
    assert len(completions) == 3 * (1 + 2)
    assert all(isinstance(completion, Completion) and completion.token_ids is None for completion in completions)


def test_its_texts_are_those_of_the_model_itself_which_gets_ids(work, tmp_path: Path):
    with RunFolder(tmp_path / "text") as folder:
        by_text = complete(work, folder, SETTINGS, TextOnly(work.checkpoint))
    with RunFolder(tmp_path / "ids") as folder:
        by_ids = complete(work, folder, SETTINGS)
    assert texts(by_text) == texts(by_ids)
    assert all(c.token_ids is not None for members in by_ids.values() for c in members)


def test_what_was_made_is_kept_in_the_journal_whoever_made_it(work, tmp_path: Path):
    with RunFolder(tmp_path / "text") as folder:
        first = complete(work, folder, SETTINGS, TextOnly(work.checkpoint))
    again = TextOnly(work.checkpoint)
    with RunFolder(tmp_path / "text") as folder:
        second = complete(work, folder, SETTINGS, again)
    assert again.asked == []
    assert second == first
