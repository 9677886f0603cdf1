"""Models of the hub, downloaded from a stand-in that really serves files; each test has a cache of its own."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import torch
from hub_server import TOKEN, Hub, commit_of, environment, serving
from small_folder import PROBLEMS

from evalharness.errors import CheckpointError
from evalharness.models.torch import Located, load_checkpoint, locate
from evalharness.models.torch.hub_files import chosen_files
from evalharness.models.torch.hub_progress import MEBIBYTE, Mebibytes
from evalharness.pipeline.freshness import key_of
from evalharness.runs import scorecard_json
from evalharness.runs.naming import run_name
from evalharness.settings.manifest import find_manifest
from evalharness.settings.score import resolve

NAME = "lab/tiny-llama"
WEIGHTS = "model.safetensors"
QUICK = ("--problems", "own.jsonl", "--samples", "0", "--max-new-tokens", "4", "--sandbox", "none")


class Lines:
    """A watcher that keeps what it is told."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.stages: list[tuple[str, int]] = []
        self.advanced = 0

    def say(self, line: str) -> None:
        self.said.append(line)

    def stage(self, name: str, total: int) -> None:
        self.stages.append((name, total))

    def advance(self) -> None:
        self.advanced += 1


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serving() as hub:
        yield hub


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, in which nothing is called as a model of the hub is."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def connected(hub: Hub, here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    """The hub of this process, whose client has read its environment long ago."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    connect(monkeypatch, hub.endpoint)
    monkeypatch.setenv("NO_PROXY", "*")
    return hub


def connect(monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", endpoint)
    template = endpoint + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)


def set_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)


def closed_port() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


def found(name: str = NAME, **more: object) -> Located:
    return locate(name, find_manifest(name), **more)  # type: ignore[arg-type]


def refused(name: str = NAME, **more: object) -> str:
    with pytest.raises(CheckpointError) as caught:
        found(name, **more)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def run_alone(arguments: list[str], *, cwd: Path, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run one command in an interpreter of its own: the hub's client reads its environment once, when imported."""
    command = [sys.executable, "-m", "evalharness", *arguments]
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=240, check=False)


@pytest.mark.slow
def test_a_command_downloads_a_model_once_and_keeps_its_score(hub, llama, here, tmp_path):
    (here / "own.jsonl").write_text(json.dumps(PROBLEMS[0]) + "\n")
    hub.add(NAME, main=llama)
    variables = environment(hub, tmp_path / "cache")
    first = run_alone(["score", NAME, *QUICK], cwd=here, env=variables)
    assert first.returncode == 0, first.stderr
    assert NAME in first.stderr
    assert WEIGHTS in hub.downloads()
    scored = next((here / "reports").rglob("scorecard.json")).parent
    assert run_name(scored) == "tiny-llama"
    info = scorecard_json.read(scored).checkpoint
    assert (info.path, info.commit) == (NAME, commit_of(f"main {llama}"))
    assert str(info.commit) in (scored / "report.md").read_text()

    again = run_alone(["gate", NAME, *QUICK, "--checks", "no_mode_collapse", "--json"], cwd=here, env=variables)
    assert json.loads(again.stdout)["checkpoint"] == NAME, again.stderr
    assert hub.downloads() == []
    assert "loading the checkpoint" not in again.stderr, "its score still holds"


def test_what_is_in_the_cache_is_not_downloaded_again_and_serves_offline(connected, llama, monkeypatch):
    connected.add(NAME, main=llama)
    (llama / "pytorch_model.bin").write_bytes(b"the same weights in another form")
    first, second, offline = (Lines() for _ in range(3))
    located = found(watcher=first)
    assert (first.stages, first.advanced) == ([(f"downloading {NAME} (MiB)", 1)], 1)
    assert set(connected.downloads()) == {
        *("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", WEIGHTS)
    }
    assert found(watcher=second) == located
    assert (connected.downloads(), second.stages) == ([], [])

    set_offline(monkeypatch)
    assert found(watcher=offline) == located
    assert "HF_HUB_OFFLINE" in offline.said[0]
    assert connected.requests == []


def test_without_a_connection_the_cache_serves(connected, llama, monkeypatch, golden_text):
    connected.add(NAME, main=llama)
    located, lines = found(), Lines()
    connect(monkeypatch, closed_port())
    assert found(watcher=lines) == located
    golden_text(lines.said)


def test_half_of_a_model_in_the_cache_is_not_taken_for_it(connected, make_llama, tmp_path, monkeypatch, golden_text):
    sharded = make_llama(tmp_path / "sharded", max_shard_size="8KB")
    connected.add(NAME, main=sharded)
    folder = found().path
    shard = next(folder.glob("model-*.safetensors"))
    shard.unlink()
    set_offline(monkeypatch)
    golden_text(refused())


def test_the_model_is_that_of_the_folder_on_the_hub(connected, llama):
    connected.add(NAME, main=llama)
    ids = torch.tensor([[3, 4, 5, 6, 7, 8]])
    downloaded = load_checkpoint(NAME, find_manifest(NAME))
    local = load_checkpoint(llama, find_manifest(llama))
    assert torch.equal(downloaded.model.logits(ids), local.model.logits(ids))
    assert downloaded.info.fingerprint == local.info.fingerprint
    assert downloaded.info.commit == commit_of(f"main {llama}")
    assert downloaded.tokenizer.encode("abc") == local.tokenizer.encode("abc")


def test_a_revision_is_another_model_and_part_of_every_key(connected, tmp_path, make_llama):
    early, late = make_llama(tmp_path / "early"), make_llama(tmp_path / "late", rows=56)
    connected.add(NAME, main=late, step1000=early)
    main, step = found(), found(revision="step1000")
    assert main.hub is not None
    assert step.hub is not None
    assert (main.hub.commit, main.step) == (commit_of(f"main {late}"), None)
    assert (step.hub.commit, step.step) == (commit_of(f"step1000 {early}"), 1000)
    assert found(revision=step.hub.commit).path == step.path
    assert main.source == step.source
    assert main.member != found(revision=step.hub.commit).member
    assert key_of(resolve({"revision": "step1000"}, {}, {})) != key_of(resolve({}, {}, {}))


def test_a_step_of_a_series_on_the_hub_is_found(connected, tmp_path, make_llama):
    for step in (10, 20):
        make_llama(tmp_path / "run" / f"checkpoint-{step}")
    make_llama(tmp_path / "run")
    connected.add(NAME, main=tmp_path / "run")
    alone = found()
    assert (alone.step, alone.series) == (None, None)
    assert len([file for file in connected.downloads() if file == WEIGHTS]) == 1
    one = found(step=10)
    assert one.path.name == "checkpoint-10"
    assert [step.step for step in one.steps] == [10, 20]
    assert one.source == alone.source


def test_a_mirror_that_tells_no_sizes_with_a_model_is_asked_for_its_tree(connected, llama, monkeypatch):
    connected.add(NAME, main=llama)
    connected.tells_sizes = False
    lines = Lines()
    assert found(watcher=lines).kind == "huggingface"
    assert lines.stages == [(f"downloading {NAME} (MiB)", 1)]


def test_a_large_file_is_told_of_as_it_comes(connected, llama, monkeypatch):
    (llama / WEIGHTS).write_bytes(bytes(3 * MEBIBYTE))
    connected.add(NAME, main=llama)
    monkeypatch.setattr(Mebibytes, "finished", lambda _: None)
    lines = Lines()
    found(watcher=lines)
    assert (lines.stages[0][1], lines.advanced) == (4, 3)


def test_a_folder_of_that_name_wins(connected, llama, here, golden_text):
    connected.add(NAME, main=llama)
    (here / "lab").mkdir()
    shutil.copytree(llama, here / NAME)
    assert (found().path, found().hub) == (Path(NAME), None)
    assert connected.requests == []
    golden_text(refused(revision="main"))


REFUSED = {
    "a wrong name": ("lab/nothing", {}),
    "a wrong name beside a folder of nearly that name": ("runs/tunde", {}),
    "a private model": ("lab/private", {}),
    "a gated model": ("lab/gated", {}),
    "a model behind a server that says no": ("lab/forbidden", {}),
    "no such revision": (NAME, {"revision": "v9"}),
    "a server in trouble": ("lab/broken", {}),
    "no weights": ("lab/empty", {}),
    "several GGUF files": ("lab/packed", {}),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_can_not_be_had_is_one_line_that_says_what_to_do(case, connected, llama, tmp_path, here, golden_text):
    contents = {"empty": ["README.md"], "packed": ["a.gguf", "b.gguf"]}
    for folder, files in contents.items():
        (tmp_path / folder).mkdir()
        for file in files:
            (tmp_path / folder / file).write_text("{}")
        connected.add(f"lab/{folder}", main=tmp_path / folder)
    (here / "runs" / "tuned").mkdir(parents=True)
    refusals = {
        "private": (401, "RepoNotFound"),
        "gated": (403, "GatedRepo"),
        "forbidden": (403, ""),
        "broken": (503, ""),
    }
    for name, refusal in refusals.items():
        connected.add(f"lab/{name}", refusal, main=llama)
    connected.add(NAME, main=llama)
    name, more = REFUSED[case]
    golden_text(refused(name, **more).replace(connected.endpoint, "<hub>"))
    assert not any(path.endswith(".safetensors") for _, path in connected.requests)


def test_offline_and_without_a_copy_one_line_says_how_to_get_one(connected, monkeypatch, golden_text):
    set_offline(monkeypatch)
    golden_text(refused())
    golden_text(refused(revision="v2"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    connect(monkeypatch, closed_port())
    golden_text(refused())


def test_a_token_opens_a_gated_model(connected, llama, monkeypatch):
    connected.add(NAME, (401, "GatedRepo"), main=llama)
    assert "HF_TOKEN" in refused()
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert found().kind == "huggingface"


def test_a_command_says_in_one_line_that_there_is_no_such_model(hub, here, tmp_path):
    done = run_alone(["diagnose", "lab/nothing"], cwd=here, env=environment(hub, tmp_path / "cache"))
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "lab/nothing" in done.stderr
    assert "HF_HUB_OFFLINE" not in done.stderr, "the hub was asked"


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")
def test_the_base_of_an_adapter_is_downloaded_at_its_revision(connected, llama, make_llama, tmp_path, here):
    import peft
    import transformers

    connected.add("lab/base", main=make_llama(tmp_path / "newer", rows=56), old=llama)
    base = transformers.LlamaForCausalLM.from_pretrained(llama)
    adapted = peft.get_peft_model(base, peft.LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False))
    adapted.save_pretrained(here / "tuned", save_embedding_layers=False)
    config = here / "tuned" / "adapter_config.json"
    config.write_text(
        json.dumps({**json.loads(config.read_text()), "base_model_name_or_path": "lab/base", "revision": "old"})
    )
    lines = Lines()
    checkpoint = load_checkpoint(here / "tuned", find_manifest(here / "tuned"), watcher=lines)
    assert checkpoint.info.kind == "PEFT adapter over a Hugging Face model"
    assert checkpoint.tokenizer.vocab_size == 40
    assert any(commit_of(f"old {llama}")[:12] in note for note in checkpoint.info.notes)
    assert [name for name, _ in lines.stages] == ["downloading lab/base (MiB)"]


def test_the_manifest_may_name_a_model_of_the_hub(connected, llama, here):
    from evalharness.models.torch.untrained import load_untrained

    connected.add(NAME, main=llama)
    (here / "evalharness.toml").write_text(f'[model]\nweights = "{NAME}"\n')
    assert load_untrained(find_manifest(here), trust=False).model.vocabulary_rows == 48


CHOSEN = {
    "safetensors before pickles": (["model.safetensors", "pytorch_model.bin", "tf_model.h5"], ["model.safetensors"]),
    "an adapter's weights": (["adapter_config.json", "adapter_model.bin", "optimizer.pt"], ["adapter_model.bin"]),
    "all shards and their index": (
        ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.safetensors.index.json"],
        ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.safetensors.index.json"],
    ),
    "one of two forms": (["consolidated.safetensors", "model.safetensors"], ["model.safetensors"]),
    "nothing below the top": (["model.safetensors", "original/consolidated.00.pth"], ["model.safetensors"]),
    "what lies below, without a top": (["step_1/model.pt", "step_2/model.pt"], ["step_1/model.pt", "step_2/model.pt"]),
    "a file of one's own": (["ckpt.pt", "optim.pt"], ["ckpt.pt"]),
    "the only GGUF file": (["model-Q4_K_M.gguf", "README.md"], ["model-Q4_K_M.gguf"]),
}


@pytest.mark.parametrize("case", CHOSEN)
def test_one_set_of_weights_is_chosen(case):
    names, weights = CHOSEN[case]
    assert list(chosen_files([*names, "config.json"], series=False).weights) == weights


def test_a_series_has_the_weights_of_its_steps_and_small_files_are_those_beside_weights():
    names = ["model.safetensors", "checkpoint-500/model.safetensors", "original/model.pth", "onnx/config.json", "a.png"]
    names += ["config.json", "checkpoint-500/config.json", "code/model.py"]
    alone, series = (chosen_files(names, series=series) for series in (False, True))
    assert set(alone.files) == {"model.safetensors", "config.json", "code/model.py"}
    assert set(series.files) - set(alone.files) == {"checkpoint-500/model.safetensors", "checkpoint-500/config.json"}


def test_each_mebibyte_is_told_once_whichever_bar_is_ahead():
    lines = Lines()
    mebibytes = Mebibytes(lines, NAME, 2 * MEBIBYTE + 1)
    counts = []
    for count_bytes in (MEBIBYTE // 2, MEBIBYTE, MEBIBYTE, 2 * MEBIBYTE + 1):
        mebibytes.reached(count_bytes)
        counts.append(lines.advanced)
    mebibytes.finished()
    assert (counts, lines.advanced) == ([0, 1, 1, 2], 3)
    assert lines.stages == [(f"downloading {NAME} (MiB)", 3)]
