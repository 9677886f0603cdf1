"""Which log is a checkpoint's: by where it lies and what it is called, as users lay out their folders."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evalharness.pipeline.loading import read_choice
from evalharness.pipeline.log_choice import choose_log
from evalharness.progress import Silent
from evalharness.settings.manifest import LogSettings, Manifest, ModelSettings

LOG = "Step 100 | Val Loss: 2.5\nStep 200 | Val Loss: 2.25\n"


def model(folder: Path, kind: str = "weights") -> Path:
    """A folder that looks like a whole model's, or like an adapter's."""
    folder.mkdir(parents=True, exist_ok=True)
    if kind == "adapter":
        (folder / "adapter_config.json").write_text("{}")
        (folder / "adapter_model.safetensors").write_bytes(folder.name.encode())
    else:
        (folder / "config.json").write_text('{"model_type": "gpt2"}')
        (folder / "model.safetensors").write_bytes(folder.name.encode())
    return folder


def state(folder: Path, step: int, best: str | None = None) -> Path:
    """A trainer's record of its run up to a step."""
    history = [{"step": step, "eval_loss": 1.25}]
    file = folder / "trainer_state.json"
    file.write_text(json.dumps({"global_step": step, "best_model_checkpoint": best, "log_history": history}))
    return file


def file(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(path.name.encode())
    return path


def relation(path: Path, manifest: Manifest | None = None) -> str | None:
    choice = choose_log(path, manifest or Manifest(None, path.parent))
    return None if choice is None else choice.relation


def test_a_base_beside_a_trainers_checkpoint_does_not_take_its_log(tmp_path):
    base, tuned = model(tmp_path / "base"), model(tmp_path / "checkpoint-200")
    log = state(tuned, 200)
    choice = choose_log(base, Manifest(None, tmp_path))
    assert choice is not None
    assert (choice.relation, choice.others, choice.files) == ("of_another", ("checkpoint-200",), (str(log),))
    assert read_choice(choice, LogSettings(), Silent()) is None
    assert relation(tuned) == "inside"


def test_what_the_trainer_saved_at_the_end_or_called_best_is_of_its_run(tmp_path):
    final, best, copy = (model(tmp_path / name) for name in ("final", "picked", "copy"))
    step = model(tmp_path / "checkpoint-100")
    (copy / "model.safetensors").write_bytes((step / "model.safetensors").read_bytes())
    state(model(tmp_path / "checkpoint-200"), 200, best="/elsewhere/picked")
    assert [relation(path) for path in (final, best, copy, step)] == ["of_its_run"] * 4
    assert relation(model(tmp_path / "gpt2-124")) == "of_another"


def test_the_folder_of_a_run_has_its_logs_inside(tmp_path):
    state(model(tmp_path / "out" / "checkpoint-200"), 200)
    assert relation(tmp_path / "out") == "inside"
    assert relation(model(tmp_path / "out")) == "inside"
    state(tmp_path / "out", 300)
    assert relation(model(tmp_path / "out" / "checkpoint-100")) == "of_its_run"
    assert relation(model(tmp_path / "out" / "start")) == "of_another"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (["mine.pt"], "inside"),
        (["mine.pt", "data/train.txt"], "inside"),
        (["mine.pt", "other.pt"], "unclear"),
        (["mine.pt", "step_100.pt"], "of_another"),
        (["mine.pt", "final.pt"], "of_another"),
        (["mine.pt", "lora/adapter_config.json"], "of_another"),
    ],
)
def test_a_log_beside_weight_files_is_of_the_one_that_can_be_meant(tmp_path, files, expected):
    for name in files:
        file(tmp_path / name)
    (tmp_path / "train.log").write_text(LOG)
    assert relation(tmp_path / "mine.pt") == expected


@pytest.mark.parametrize("name", ["step_100.pt", "ckpt_best.pt", "last.pt"])
def test_a_step_has_the_log_of_its_run_whatever_base_lies_beside_it(tmp_path, name):
    for path in (name, "base.pt", "step_200.pt"):
        file(tmp_path / path)
    (tmp_path / "train.log").write_text(LOG)
    assert relation(tmp_path / name) == "of_its_run"
    assert relation(tmp_path / "base.pt") == "of_another"


def test_a_log_that_is_called_like_one_checkpoint_is_of_that_one(tmp_path):
    for name in ("v1.pt", "v1_step200.pt", "v2.pt"):
        file(tmp_path / name)
    (tmp_path / "v1_log.jsonl").write_text(json.dumps({"step": 1, "val_loss": 2.5}))
    assert [relation(tmp_path / f"{name}.pt") for name in ("v1", "v1_step200", "v2")] == [
        "called_alike",
        "called_alike",
        "of_another",
    ]


def test_an_adapter_has_the_log_beside_it_and_its_base_has_not(tmp_path):
    lora, base = model(tmp_path / "lora", "adapter"), model(tmp_path / "base")
    (tmp_path / "train.log").write_text(LOG)
    assert relation(lora) == "alone"
    assert relation(base) == "of_another"
    model(tmp_path / "other", "adapter")
    assert relation(lora) == "unclear"


def test_a_checkpoint_alone_has_the_log_in_the_folder_above(tmp_path):
    weights = file(tmp_path / "version_0" / "checkpoints" / "epoch=3.ckpt")
    (tmp_path / "version_0" / "train.log").write_text(LOG)
    assert relation(weights) == "alone"
    start = file(tmp_path / "version_0" / "start" / "model.pt")
    assert [relation(path) for path in (weights, start)] == ["of_its_run", "of_another"]


def test_a_console_three_folders_above_is_of_the_run_whose_folder_it_names(tmp_path):
    final, base = model(tmp_path / "out" / "full" / "final"), model(tmp_path / "checkpoints" / "org" / "small")
    model(tmp_path / "out" / "full" / "step-000100")
    (tmp_path / "finetune.log").write_text(f"{{'checkpoint_dir': 'checkpoints/org/small'}}\n{LOG}")
    assert relation(final) == "of_its_run"
    assert relation(base) == "of_another"
    other = model(tmp_path / "out" / "lora" / "final")
    assert [relation(path) for path in (final, other)] == ["unclear", "unclear"]
    (tmp_path / "finetune.log").write_text(
        f"{{'checkpoint_dir': 'checkpoints/org/small', 'out_dir': 'out/full'}}\n{LOG}"
    )
    assert [relation(path) for path in (final, final.parent, other)] == ["names_it", "names_it", "unclear"]
    assert relation(base) == "of_another"


def test_of_two_folders_with_a_file_the_log_is_of_the_one_that_it_names(tmp_path):
    first, second = file(tmp_path / "out-a" / "ckpt.pt"), file(tmp_path / "out-b" / "ckpt.pt")
    (tmp_path / "train.log").write_text(f"{LOG}saving checkpoint to out-b\n")
    assert [relation(first), relation(second)] == ["unclear", "names_it"]
    (tmp_path / "train.log").rename(tmp_path / "second.log")
    (tmp_path / "first.log").write_text(f"{LOG}saving checkpoint to out-a\n")
    chosen = [choose_log(path, Manifest(None, tmp_path)) for path in (first, second)]
    assert [choice and choice.files for choice in chosen] == [
        (str(tmp_path / "first.log"),),
        (str(tmp_path / "second.log"),),
    ]


def test_a_log_is_looked_for_no_higher_than_the_project_nor_where_the_user_works(tmp_path, monkeypatch):
    weights = model(tmp_path / "project" / "out" / "full" / "final")
    (tmp_path / "train.log").write_text(LOG)
    assert relation(model(tmp_path / "out" / "full" / "final")) is not None
    (tmp_path / "project" / ".git").mkdir()
    assert relation(weights) is None
    (tmp_path / "project" / ".git").rmdir()
    monkeypatch.chdir(tmp_path / "project")
    assert relation(Path("out/full/final")) is None
    (tmp_path / "project" / "train.log").write_text(LOG)
    assert relation(Path("out/full/final")) == "alone"


def test_the_manifests_log_is_not_of_the_base_that_it_names(tmp_path):
    base, lora = file(tmp_path / "base.pt"), model(tmp_path / "lora_step200", "adapter")
    log = tmp_path / "train.log"
    log.write_text(LOG)
    manifest = Manifest(None, tmp_path, model=ModelSettings(weights=base), log=LogSettings(path=(log,)))
    assert relation(lora, manifest) == "named"
    assert relation(base, manifest) == "of_another"


def test_a_log_that_is_given_is_read_whatever_lies_there(tmp_path):
    base = model(tmp_path / "base")
    log = state(model(tmp_path / "checkpoint-200"), 200)
    choice = choose_log(base, Manifest(None, tmp_path), (log,))
    assert choice is not None
    assert (choice.relation, choice.is_read) == ("named", True)
    read = read_choice(choice, LogSettings(), Silent())
    assert read is not None
    assert [point.loss_nats for point in read.points] == [1.25]
