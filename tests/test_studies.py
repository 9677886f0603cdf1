"""The studies' programs: the sizes that the write-up names, stages that go on, and claims that can differ."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from shipped_records import shipped_records
from small_folder import ROOT

FOLDER = ROOT / "studies" / "v2_lora"
sys.path += [str(ROOT / "checkpoints"), str(FOLDER)]

from claims import CLAIMS, Forgetting, Study  # noqa: E402
from report import SERIES, write_report  # noqa: E402
from sizes import SIZES, Stage, lora  # noqa: E402
from stages import CONTEXT_LENGTH, Data, Series, train_base, tune  # noqa: E402


def test_the_full_size_has_the_parameters_of_the_write_up():
    peft = pytest.importorskip("peft")
    from stages import build

    with torch.device("meta"):
        model = build(is_causal=True, **SIZES["full"].shape)
        assert sum(parameter.numel() for parameter in model.parameters()) == 29_180_928
        tuned = peft.get_peft_model(model, lora())
    assert sum(parameter.numel() for parameter in tuned.parameters() if parameter.requires_grad) == 196_608


STAGE = Stage(steps=4, every=2, rows=2, rate=1e-2, warmup=2)
TINY = replace(SIZES["small"], width=16, layers=1, heads=2, base=STAGE, tuning=STAGE)


@pytest.fixture
def data(tmp_path: Path) -> Data:
    folder = tmp_path / "data"
    folder.mkdir()
    tokenizer = (ROOT / "checkpoints/causal/tokenizer.json").read_bytes()
    (folder / "tokenizer.json").write_bytes(tokenizer)
    texts = [{"text": f"def f{i}(a):\n    return a + {i}\n"} for i in range(12)]
    pairs = [{"prompt": f"def g{i}(a):\n", "solution": f"    return a - {i}\n" * (40 if i else 1)} for i in range(6)]
    for name, rows in (("v1_train", texts[2:]), ("v1_val", texts[:2]), ("v2_train", pairs), ("v2_val", pairs[:2])):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return Data(folder)


def test_rows_are_cut_to_the_context(data: Data):
    lengths = [len(row) for row in data.rows("v2_train.jsonl")]
    assert max(lengths) == CONTEXT_LENGTH
    assert min(lengths) < 50


class KilledError(Exception):
    pass


def base(folder: Path) -> Series:
    return Series(folder, is_causal=True, train="v1_train.jsonl", validation="v1_val.jsonl", smoothing=0.1)


def test_an_interrupted_stage_goes_on_to_the_same_weights_and_the_same_log(
    data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    import training

    whole = train_base(base(tmp_path / "v1_whole"), TINY, data, "cpu")
    save = training.torch.save

    def killed_at_the_second(state, path):
        if state["step"] == 4:
            raise KilledError
        save(state, path)

    monkeypatch.setattr(training.torch, "save", killed_at_the_second)
    with pytest.raises(KilledError):
        train_base(base(tmp_path / "v1_again"), TINY, data, "cpu")
    monkeypatch.undo()
    again = train_base(base(tmp_path / "v1_again"), TINY, data, "cpu")
    assert logged(whole) == logged(again)
    expected, found = load_file(whole), load_file(again)
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def logged(weights: Path) -> list[str]:
    """The log without its speeds, which differ."""
    return [line.split(" | LR")[0] for line in (weights.parent / "train.log").read_text().splitlines()]


def test_a_tuning_is_a_series_that_evalharness_finds_and_remembers_the_librarys_loss(data: Data, tmp_path: Path):
    pytest.importorskip("peft")
    from evalharness.models.torch import find_series
    from evalharness.settings.manifest import find_manifest

    trained = train_base(base(tmp_path / "v1_causal"), TINY, data, "cpu")
    tuned = Series(tmp_path / "v2_causal", is_causal=True, train="v2_train.jsonl", validation="v2_val.jsonl")
    tune(tuned, trained, TINY, data, "cpu")
    manifest = find_manifest(tuned.folder)
    assert manifest.model.weights is not None
    assert manifest.model.weights.samefile(trained)
    assert manifest.model.args == {"is_causal": True, "width": 16, "layers": 1, "heads": 2}
    assert [step.step for step in find_series(tuned.folder, manifest)] == [2, 4]
    kept = [json.loads(line)["step"] for line in (tuned.folder / "library_loss.jsonl").read_text().splitlines()]
    assert kept == [0, 2, 4]


def row(step: int, cause: str | None, honest: float, degenerate: float, logged: float) -> dict[str, object]:
    made: dict[str, object] = {"step": step, "cause": cause, "logged_nats": logged}
    for name, value in (("honest_nats", honest), ("degenerate_sampled", degenerate)):
        made |= {name: value, f"{name}_low": value * 0.95, f"{name}_high": value * 1.05}
    return made


class Run:
    """The two frames of a run that the claims read."""

    def __init__(self, *rows: dict[str, object]) -> None:
        self.checkpoints = pd.DataFrame(list(rows))
        losses = [{"step": r["step"], "split": "validation", "loss_nats": r["logged_nats"]} for r in rows]
        self.losses = pd.DataFrame(losses)


LEAKY = Run(row(100, "future_leak", 12.0, 1.0, 0.4), row(200, "future_leak", 13.0, 1.0, 0.2))
CAUSAL = Run(row(100, None, 3.0, 0.3, 3.0), row(200, None, 2.5, 0.3, 2.5))
FEW = Run(row(100, None, 3.0, 0.3, 3.0), row(200, None, 3.4, 0.3, 3.4))
REFUTED = {
    *("The base model is too weak.", "LoRA's capacity is too small."),
    *("Training found a local minimum in which newlines are cheap.", "Loss metrics are unreliable for such models."),
    *("Scale alone doesn't fix it (500 rows instead of 49).", "Longer training won't help."),
}


def answers(runs: dict[str, Run], after: float) -> dict[str, str]:
    study = Study(runs, dict.fromkeys(("v2_leaky", "v2_causal"), Forgetting(2.0, after)))  # type: ignore[arg-type]
    return {claim.said: claim.answer(study).status for claim in CLAIMS}


def test_a_leaky_base_and_a_sound_twin_refute_what_the_write_up_blames():
    runs = {"v1_leaky": LEAKY, "v2_leaky": LEAKY, "v1_causal": CAUSAL, "v2_causal": CAUSAL, "v2_few": FEW}
    given = answers(runs, after=2.05)
    assert {said for said, status in given.items() if status == "refuted"} == REFUTED
    assert given["LoRA prevents forgetting."] == "confirmed"


def test_twins_that_are_alike_and_get_worse_refute_nothing_but_that_lora_prevents_forgetting():
    worse = Run(row(100, None, 3.0, 0.3, 2.0), row(200, None, 3.5, 0.3, 2.5))
    runs = dict.fromkeys(("v1_leaky", "v2_leaky", "v1_causal", "v2_causal", "v2_few"), worse)
    given = answers(runs, after=3.0)
    assert {said for said, status in given.items() if status == "refuted"} == {"LoRA prevents forgetting."}


def test_the_report_answers_every_claim_from_the_records_and_shows_every_series(tmp_path: Path):
    for name in SERIES:
        source = shipped_records() / ("leaky" if "leaky" in name else "causal")
        own = tmp_path / "reports" / name
        shutil.copytree(source / "step_1000", own / "step_1000")
        for file in ("run.json", "log.jsonl"):
            shutil.copyfile(source / file, own / file)
        (tmp_path / name).mkdir()
        if name.startswith("v2"):
            lines = [json.dumps({"step": step, "nats_per_token": 2.0}) for step in (0, 10)]
            (tmp_path / name / "library_loss.jsonl").write_text("\n".join(lines))
    write_report(tmp_path, tmp_path / "shown")
    text = (tmp_path / "shown" / "report.md").read_text()
    assert all(f"| {claim.said} | " in text for claim in CLAIMS)
    assert all(f"### {name}: " in text for name in SERIES)
    assert (tmp_path / "shown" / "figures" / "v2_leaky.svg").read_bytes().startswith(b"<?xml")
