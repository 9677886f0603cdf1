"""The study of a real model, at a tiny size: its rows, trainings, logs and manifests, and the report of its causes."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from shipped_records import shipped_records
from small_folder import ROOT

sys.path.append(str(ROOT / "studies" / "smollm2"))

from four_reports import Scored, logged, write_study
from mbpp_rows import encode, read_rows, write_rows
from tuning import IGNORED, HidesPadding, features, tune
from ways import NO_END, RIGHT, TRAININGS, WAYS

from evalharness.models.torch import find_series
from evalharness.records import Finding
from evalharness.runs import scorecard_json
from evalharness.settings.manifest import find_manifest
from evalharness.training_log import read_log

TEMPLATE = (
    "{% for m in messages %}{{ '<in>' + m['role'] + '\n' + m['content'] + '<out>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<in>assistant\n' }}{% endif %}"
)
STEPS, EVERY = 2, 1
pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")
"""PEFT asks transformers in an old way."""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random model of characters, whose padding is its end token."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("base")
    characters = ["<in>", "<out>", *(chr(i) for i in range(33, 127)), "Ġ", "Ċ"]
    made = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(characters)}, merges=[]))
    made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    special = {"bos_token": "<in>", "eos_token": "<out>", "pad_token": "<out>"}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=made, **special, chat_template=TEMPLATE)
    tokenizer.save_pretrained(folder)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
        bos_token_id=0, eos_token_id=1, pad_token_id=1,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def tokenizer(base: Path):
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(base)


def row(i: int) -> list[dict[str, str]]:
    asked = f"Add {i} to a.\nassert f(1) == {1 + i}"
    return [{"role": "user", "content": asked}, {"role": "assistant", "content": f"return a + {i}"}]


@pytest.fixture(scope="module")
def tuned(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All trainings of the study, two steps each on a handful of rows."""
    out = tmp_path_factory.mktemp("out")
    (out / "data").mkdir()
    for name, count in (("train", 8), ("validation", 3)):
        rows = [
            [("user", f"Add {i} to a.\nassert f(1) == {1 + i}"), ("assistant", f"return a + {i}")] for i in range(count)
        ]
        lines = [json.dumps({"messages": [{"role": r, "content": c} for r, c in row]}) + "\n" for row in rows]
        (out / "data" / f"{name}.jsonl").write_text("".join(lines))
    for training in TRAININGS:
        tune(training, base, out, STEPS, EVERY)
    return out


def test_rows_are_mbpps_own_splits_as_conversations_and_none_is_too_long(mbpp_file: Path, tokenizer, tmp_path: Path):
    write_rows(tmp_path, tokenizer, mbpp_file, longest=1000)
    train, validation = (read_rows(tmp_path / f"{name}.jsonl") for name in ("train", "validation"))
    assert 0 < len(train) < 374
    assert 0 < len(validation) <= 45
    assert not {turns[0]["content"] for turns in train} & {turns[0]["content"] for turns in validation}
    assert max(sum(map(len, encode(turns, tokenizer))) for turns in train) <= 1000
    assert all("assert " in turns[0]["content"] and "def " in turns[1]["content"] for turns in train)


def test_only_answers_are_targets_and_the_end_is_one_unless_padding_is_masked_by_its_id(tuned: Path, tokenizer):
    from transformers import DataCollatorForSeq2Seq

    rows = features(tuned / "data" / "train.jsonl", tokenizer)
    for collator, ends in ((DataCollatorForSeq2Seq, len(rows)), (HidesPadding, 0)):
        labels = collator(tokenizer)([dict(row) for row in rows])["labels"]
        assert int((labels == tokenizer.eos_token_id).sum()) == ends
        written = tokenizer.decode(labels[0][(labels[0] != IGNORED)].tolist())
        assert written.replace("<out>", "").strip() == "return a + 0"


@pytest.mark.parametrize("training", TRAININGS, ids=lambda training: training.name)
def test_each_training_is_a_series_with_a_log_from_step_0_on_and_a_manifest_that_names_its_data(tuned: Path, training):
    folder = tuned / training.name
    manifest = find_manifest(folder)
    assert manifest.data.train.samefile(tuned / "data" / "train.jsonl")
    last = training.last_step(STEPS)
    assert [step.step for step in find_series(folder, manifest)] == list(range(1, last + 1))
    points = read_log(folder / f"checkpoint-{last}" / "trainer_state.json")
    assert [point.step for point in points if point.split == "validation"] == list(range(last + 1))
    assert logged(tuned, training).by_step.keys() == set(range(last + 1))


def test_the_end_that_is_no_target_is_missing_in_the_logged_loss_of_the_same_base(tuned: Path):
    assert logged(tuned, RIGHT).by_step[0] != logged(tuned, NO_END).by_step[0]


def test_a_training_that_is_finished_is_left_as_it_is(tuned: Path, base: Path):
    state = tuned / "right" / f"checkpoint-{STEPS}" / "trainer_state.json"
    before = state.stat().st_mtime_ns
    tune(RIGHT, base, tuned, STEPS, EVERY)
    assert state.stat().st_mtime_ns == before


def test_the_report_has_every_way_and_links_its_own_report(tuned: Path, tmp_path: Path):
    out = tmp_path / "out"
    for training in TRAININGS:
        shutil.copytree(tuned / training.name, out / training.name)
    for way in WAYS:
        scored = out / "reports" / way.name / "run" / "step_2"
        shutil.copytree(shipped_records() / "causal" / "step_1000", scored)
        (scored / "report.md").write_text(f"{way.name} in {out}/right\n![a picture](figures/losses.svg)\n")
    write_study(out, tmp_path / "study")
    text = (tmp_path / "study" / "report.md").read_text()
    assert all(f"[{way.name}]({way.name}/report.md)" in text for way in WAYS)
    copies = {way.name: (tmp_path / "study" / way.name / "report.md").read_text() for way in WAYS}
    assert copies == {way.name: f"{way.name} in right\n" for way in WAYS}


@pytest.mark.parametrize(
    ("cause", "probes", "is_named"),
    [
        ("diverged", ["diverged", "undertrained"], True),
        ("diverged", ["undertrained", "diverged"], False),
        ("diverged", [], False),
        (None, [], True),
        (None, ["overfit"], False),
    ],
)
def test_only_the_first_finding_names_a_cause(cause, probes, is_named):
    card = scorecard_json.read(shipped_records() / "causal" / "step_1000")
    findings = tuple(Finding(probe, "contributing", "", {}, "") for probe in probes)
    note = Finding("easy_tokens", "note", "", {}, "")
    scored = Scored(replace(WAYS[0], cause=cause), replace(card, findings=(*findings, note)), Path())
    assert scored.is_named == is_named
