"""Folders of a series: which checkpoints there are, which one is taken, and what is said of it."""

from __future__ import annotations

import importlib
import json
import shutil
import struct
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from evalharness.errors import CheckpointError
from evalharness.models.torch import find_series, weight_files_in
from evalharness.models.torch.hub import Refused
from evalharness.models.torch.step_names import is_best_name, step_in_name
from evalharness.settings.manifest import find_manifest


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("v2_lora_step2000_lora", 2000),
        ("lora_step200", 200),
        ("checkpoint-500", 500),
        ("model_000500.pt", 500),
        ("epoch=3-step=500.ckpt", 500),
        ("iter_40.pth", 40),
        ("ckpt_7", 7),
        ("ckpt.pt", None),
        ("v1_best.pt", None),
        ("llama-7b", None),
        ("phi-2", None),
        ("model_v2.pt", None),
    ],
)
def test_a_name_carries_its_step(name, step):
    assert step_in_name(name) == step


def test_best_is_a_word_of_its_own():
    assert all(is_best_name(name) for name in ("lora_best", "best.pt", "v2-BEST-model.pt"))
    assert not is_best_name("bestiary.pt")


@pytest.fixture
def shipped(project, save_adapter):
    """The shape of a shipped checkpoint: a base, adapters over it, logs and data beside them."""
    for step in (200, 400, 600):
        save_adapter(f"lora_step{step}", seed=step)
    shutil.copytree(project.folder / "lora_step400", project.folder / "lora_best")
    for name in ("train.log", "train.jsonl", "val.jsonl"):
        project.write(name, "{}\n")
    return project


def test_a_base_beside_adapters_is_none_of_the_steps(shipped):
    series = find_series(shipped.folder, find_manifest(shipped.folder))
    assert [(item.path.name, item.step, item.is_best) for item in series] == [
        ("lora_step200", 200, False),
        ("lora_step400", 400, False),
        ("lora_best", 400, True),
        ("lora_step600", 600, False),
    ]


def test_the_best_of_a_series_is_taken_and_named(shipped, golden_text):
    info = shipped.load(".").info
    golden_text(info.notes)
    assert info.step == 400


def test_the_best_alone_takes_its_step_from_its_twin(shipped):
    assert shipped.load("lora_best").info.step == 400


def test_the_last_is_taken_where_none_is_marked_and_it_says_so(shipped, golden_text):
    shutil.rmtree(shipped.folder / "lora_best")
    info = shipped.load(".").info
    golden_text(info.notes)
    assert info.step == 600


def test_one_step_can_be_asked_for(shipped, golden_text):
    assert shipped.load(".", step=200).info.step == 200
    assert shipped.load(".", step=400).info.step == 400
    with pytest.raises(CheckpointError) as error:
        shipped.load(".", step=500)
    golden_text(error)
    with pytest.raises(CheckpointError) as error:
        shipped.load("lora_step200", step=9)
    golden_text(error)


def test_files_with_their_meta_are_a_series(project, state):
    for step in (500, 1000):
        torch.save({**state, "pos.weight": state["pos.weight"] + step}, project.folder / f"model_{step:06d}.pt")
        torch.save({}, project.folder / f"optim_{step:06d}.pt")
        project.write(f"meta_{step:06d}.json", json.dumps({"step": step, "val_loss": 2000 / step}))
    series = find_series(project.folder, find_manifest(project.folder))
    assert [(item.step, item.logged_val_loss) for item in series] == [(500, 4.0), (1000, 2.0)]
    checkpoint = project.load(".")
    assert (checkpoint.info.step, checkpoint.logged_val_loss) == (1000, 2.0)


def test_the_trainer_state_marks_the_best(project, state, golden_text):
    kept = {name: tensor for name, tensor in state.items() if name != "head.weight"}
    for step in (500, 1000):
        folder = project.folder / f"checkpoint-{step}"
        folder.mkdir()
        save_file({**kept, "pos.weight": kept["pos.weight"] + step}, folder / "model.safetensors")
        torch.save({}, folder / "optimizer.pt")
        torch.save({}, folder / "rng_state.pth")
        (folder / "trainer_state.json").write_text(
            json.dumps(
                {
                    "global_step": step,
                    "best_model_checkpoint": "/elsewhere/run/checkpoint-500",
                    "log_history": [{"step": step, "loss": 9.0}, {"step": step, "eval_loss": step / 1000}],
                }
            )
        )
    checkpoint = project.load(".")
    assert (checkpoint.info.step, checkpoint.logged_val_loss) == (500, 0.5)
    golden_text(checkpoint.info.notes)


def test_final_comes_after_all_numbers(project, state):
    for number, name in enumerate(("step_9.pt", "step_100.pt", "final.pt")):
        torch.save({**state, "pos.weight": state["pos.weight"] + number}, project.folder / name)
    assert [item.path.name for item in find_series(project.folder)] == ["step_9.pt", "step_100.pt", "final.pt"]
    assert any("final.pt" in note for note in project.load(".").info.notes)


def test_two_that_are_marked_best_are_not_chosen_between(project, state, golden_text):
    for number, name in enumerate(("v1_best.pt", "v2_best.pt")):
        torch.save({**state, "pos.weight": state["pos.weight"] + number}, project.folder / name)
    with pytest.raises(CheckpointError) as error:
        project.load(".")
    golden_text(error)


def test_a_folder_with_one_weight_file_is_that_file(project, state):
    torch.save({"model": state, "iter_num": 12}, project.folder / "ckpt.pt")
    assert find_series(project.folder) == []
    assert project.load(".").info.step == 12


def test_a_hugging_face_folder_with_steps_below_is_itself_and_says_so(tmp_path, make_llama, golden_text):
    from evalharness.models.torch import load_checkpoint

    run = make_llama(tmp_path / "run")
    make_llama(run / "checkpoint-10")
    checkpoint = load_checkpoint(run, find_manifest(run))
    golden_text(checkpoint.info.notes)
    assert load_checkpoint(run, find_manifest(run), step=10).info.step == 10


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("modell.pt", r"modell.pt: no such file or folder \(nearest: model.pt\)"),
        ("empty", r"empty: the folder is empty \(looked for .pt"),
        ("notes.txt", r"notes.txt: is not a checkpoint \(looked for"),
        ("docs", r"docs: holds no checkpoint \(looked for"),
        ("many", r"many: holds 2 weight files and no step in their names \(a.pt, b.pt\): give the path of one"),
    ],
)
def test_a_path_that_is_no_checkpoint_says_what_was_looked_for(project, state, path, message):
    torch.save(state, project.folder / "model.pt")
    (project.folder / "empty").mkdir()
    project.write("notes.txt", "")
    project.write("docs/readme.md", "")
    (project.folder / "many").mkdir()
    for name in ("a.pt", "b.pt"):
        torch.save(state, project.folder / "many" / name)
    with pytest.raises(CheckpointError, match=message) as caught:
        project.load(path)
    assert "\n" not in str(caught.value)


def test_the_hub_is_not_asked_for_a_name_whose_folder_is_on_this_machine(tmp_path, monkeypatch):
    (tmp_path / "out" / "model").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    locating = importlib.import_module("evalharness.models.torch.locate")
    monkeypatch.setattr(locating, "fetch", lambda *_, **__: pytest.fail("the hub was asked"))
    for mistyped, alike in (("out/modle", "model"), ("otu", "out")):
        with pytest.raises(CheckpointError, match=rf"\b{alike}\b"):
            locating.find_on_hub(Path(mistyped))


def test_the_hub_is_asked_for_a_name_alone_that_is_like_nothing_here_or_with_a_revision(tmp_path, monkeypatch):
    (tmp_path / "checkpoints").mkdir()
    monkeypatch.chdir(tmp_path)
    locating = importlib.import_module("evalharness.models.torch.locate")
    asked = []
    monkeypatch.setattr(locating, "fetch", lambda name, *_, **__: asked.append(name) or Refused("absent", "check"))
    for name, revision in (("gpt2", None), ("checkpoint", None), ("checkpoint", "main")):
        with pytest.raises(CheckpointError):
            locating.find_on_hub(Path(name), revision)
    assert asked == ["gpt2", "checkpoint"], "a name that is like one here is asked for by its revision alone"


def test_hidden_files_and_folders_are_no_steps(project, state):
    for name in ("step_10.pt", "step_20.pt", ".state.pt", ".step_15.pt"):
        torch.save(state, project.folder / name)
    copies = project.folder / ".copies"
    copies.mkdir()
    torch.save(state, copies / "model.pt")
    series = find_series(project.folder, find_manifest(project.folder))
    assert [item.step for item in series] == [10, 20]


def test_a_bin_of_another_tool_is_no_checkpoint_beside_torchs_own(tmp_path):
    torch.save({"w": torch.zeros(2)}, tmp_path / "ckpt.pt")
    (tmp_path / "model.bin").write_bytes(struct.pack("<7i", 64, 172, 5, 8, 4, 512, 512) + b"\0" * 64)
    assert weight_files_in(tmp_path) == [tmp_path / "ckpt.pt"]
    torch.save({"w": torch.zeros(2)}, tmp_path / "model.bin")
    assert len(weight_files_in(tmp_path)) == 2
