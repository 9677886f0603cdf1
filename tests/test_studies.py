"""The studies' programs: the sizes that the write-up names, stages that go on, and claims that can differ."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from shipped_records import shipped_records
from small_folder import ROOT

from evalharness.records import Interval, PartLoss

FOLDER = ROOT / "studies" / "v2_lora"
sys.path += [str(ROOT / "checkpoints"), str(FOLDER)]

from claims import CLAIMS  # noqa: E402
from measured import Original, RowLosses, Study, Tuning, read_tuning  # noqa: E402
from original import newline_ends  # noqa: E402
from report import write_report  # noqa: E402
from series import SERIES  # noqa: E402
from sizes import SIZES, Stage, lora  # noqa: E402
from stages import CONTEXT_LENGTH, ROW_LOSSES, Data, Series, train_base, tune, tune_whole, write_changed_rows  # noqa: E402


def test_the_full_size_has_the_parameters_of_the_write_up():
    peft = pytest.importorskip("peft")
    from stages import build

    with torch.device("meta"):
        model = build(is_causal=True, **SIZES["full"].shape)
        assert sum(parameter.numel() for parameter in model.parameters()) == 29_180_928
        tuned = peft.get_peft_model(model, lora())
    assert sum(parameter.numel() for parameter in tuned.parameters() if parameter.requires_grad) == 196_608


STAGE = Stage(steps=4, every=2, rows=2, rate=1e-2, warmup=2)
TINY = replace(SIZES["small"], width=16, layers=1, heads=2, base=STAGE, tuning=STAGE, whole_tuning=STAGE)


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


def test_a_tuning_is_a_series_that_evalharness_finds_and_keeps_its_losses_row_by_row(data: Data, tmp_path: Path):
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
    losses = read_tuning(tuned.folder / ROW_LOSSES).losses
    assert {step for step, rows in losses if rows == "base"} == {0, 2, 4}
    assert [len(losses[4, rows].nats) for rows in ("base", "tuning")] == [2, 2]
    assert losses[4, "tuning"].mean < losses[0, "tuning"].mean


def test_a_tuning_of_every_weight_is_a_series_of_whole_checkpoints(data: Data, tmp_path: Path):
    from evalharness.models.torch import find_series
    from evalharness.settings.manifest import find_manifest

    trained = train_base(base(tmp_path / "v1_causal"), TINY, data, "cpu")
    tuned = Series(tmp_path / "v1_it_causal", is_causal=True, train="v2_train.jsonl", validation="v2_val.jsonl")
    tune_whole(tuned, trained, TINY, data, "cpu")
    steps = find_series(tuned.folder, find_manifest(tuned.folder))
    assert [step.step for step in steps] == [2, 4]
    before, after = (load_file(path)["embedding.weight"] for path in (trained, steps[-1].path))
    assert not torch.equal(before, after)


def test_changed_rows_differ_by_their_last_newlines_alone(data: Data):
    write_changed_rows(data.folder)
    pairs, cut = (rows_of(data.folder / f"{name}_train.jsonl") for name in ("v2", "cut"))
    assert [row | {"solution": row["solution"] + "\n"} for row in cut] == pairs
    ends = [newline_ends(data, f"{name}_train.jsonl") for name in ("v2", "cut")]
    assert [of_file[0] for of_file in ends] == [True, False]


def rows_of(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def row(
    step: int, cause: str | None, honest: float, degenerate: float, logged: float, solved: float = 0.0
) -> dict[str, object]:
    made: dict[str, object] = {"step": step, "cause": cause, "logged_nats": logged}
    passes = [(f"{name}_sampled_pass_at_1", solved) for name in ("warmup", "humaneval")]
    for name, value in (("honest_nats", honest), ("degenerate_sampled", degenerate), *passes):
        made |= {name: value, f"{name}_low": value * 0.95, f"{name}_high": value * 1.05}
    return made


class Run:
    """What the claims read of a run: its checkpoints, nine completions of each, and newlines' share of the fall."""

    def __init__(self, *rows: dict[str, object], kind: str | None = None, fall: Interval | None = None) -> None:
        self.checkpoints = pd.DataFrame(list(rows))
        self.last_step = rows[-1]["step"]
        written = {"problems": "warmup", "decoding": "sampled", "kind": kind}
        self.completions = pd.DataFrame(
            [{"step": r["step"], "task_id": str(i), **written} for r in rows for i in range(9)]
        )
        newlines = PartLoss("newline", 30, Interval(0.3, 0.2, 0.4), Interval(1.0, 0.9, 1.1), share_of_fall=fall)
        self.scorecards = {self.last_step: SimpleNamespace(loss=SimpleNamespace(by_class=(newlines,)))}


def tuning(before: float, after: float) -> Tuning:
    losses = {0: before, 100: (before + after) / 2, 200: after}
    spread, targets = np.array([0.0, 0.01, -0.01]), np.array([10, 10, 10])
    return Tuning(
        {
            (step, rows): RowLosses(nats * (1 + spread), targets)
            for step, nats in losses.items()
            for rows in ("base", "tuning")
        }
    )


SMALL = Interval(0.1, 0.05, 0.2)
LEAKS = (row(100, "future_leak", 12.0, 1.0, 0.4), row(200, "future_leak", 13.0, 1.0, 0.2))
LEAKY = Run(*LEAKS, kind="newline", fall=SMALL)
CUT = Run(row(200, "future_leak", 12.0, 1.0, 0.4), kind="token")
CAUSAL = Run(row(100, None, 3.0, 0.3, 3.0), row(200, None, 2.5, 0.3, 2.5), fall=SMALL)
ORIGINAL = Original(1.25, 1.22, 0.1, 52, Interval(1.0, 0.93, 1.0), 500, 500)
OF_THE_MASK = {
    "Loss metrics are unreliable for such models.",
    "Scale alone doesn't fix it (500 rows instead of 49).",
    "Longer training won't help.",
}
OF_THE_MODEL = {
    "The base model is too weak.",
    "LoRA's capacity is too small.",
    "Training found a local minimum in which newlines are cheap.",
    "The loss fell because newlines and spaces were learned, not code.",
}
FORGETS = "LoRA prevents forgetting."


def answers(runs: dict[str, Run], tunings: dict[str, Tuning]) -> dict[str, str]:
    study = Study(runs, tunings, ORIGINAL)  # type: ignore[arg-type]
    return {claim.said: claim.answer(study).status for claim in CLAIMS}


def said(given: dict[str, str], status: str) -> set[str]:
    return {claim for claim, own in given.items() if own == status}


def test_a_leaky_base_and_a_sound_twin_refute_what_the_write_up_blames():
    runs = {name: LEAKY if name.endswith("leaky") else CAUSAL for name in SERIES}
    tunings = {"v2_leaky": tuning(2.0, 1.9), "v2_causal": tuning(2.0, 1.9), "v2_few": tuning(2.0, 2.02)}
    given = answers(runs | {"v2_cut_leaky": CUT}, tunings | {"v1_it_causal": tuning(2.0, 2.5)})
    assert said(given, "refuted") == OF_THE_MODEL
    assert said(given, "true only without a mask") == OF_THE_MASK
    assert said(given, "confirmed") == {FORGETS, "All versions fail in the same way (the table of versions)."}


def test_a_lower_loss_with_fewer_problems_solved_confirms_that_losses_are_unreliable():
    better = Run(row(200, None, 5.0, 0.3, 5.0, solved=0.9))
    runs = {name: LEAKY if name.endswith("leaky") else CAUSAL for name in SERIES} | {"v1_it_causal": better}
    given = answers(runs, dict.fromkeys(SERIES, tuning(2.0, 1.9)))
    assert given["Loss metrics are unreliable for such models."] == "confirmed"


def test_twins_that_are_alike_and_get_worse_refute_nothing_but_that_lora_prevents_forgetting():
    worse = Run(row(100, None, 3.0, 0.3, 2.0), row(200, None, 3.5, 0.3, 2.5))
    given = answers(dict.fromkeys(SERIES, worse), dict.fromkeys(SERIES, tuning(2.0, 9.0)))
    assert said(given, "refuted") == {FORGETS}
    assert not said(given, "true only without a mask")


def test_the_report_answers_every_claim_from_the_records_and_shows_every_series(tmp_path: Path):
    for name in SERIES:
        source = shipped_records() / ("leaky" if "leaky" in name else "causal")
        own = tmp_path / "reports" / name
        shutil.copytree(source / "step_1000", own / "step_1000")
        for file in ("run.json", "log.jsonl"):
            shutil.copyfile(source / file, own / file)
        (tmp_path / name).mkdir()
        if name.startswith(("v2", "v1_it")):
            lines = [
                {"step": step, "rows": rows, "nats": [2.0, 1.0], "targets": [5, 4]}
                for step in (0, 5, 10)
                for rows in ("base", "tuning")
            ]
            (tmp_path / name / ROW_LOSSES).write_text("\n".join(map(json.dumps, lines)))
    write_original(tmp_path / "original")
    write_report(tmp_path, tmp_path / "shown")
    text = (tmp_path / "shown" / "report.md").read_text()
    assert all(f"| {claim.said} | " in text and f"### {claim.said}" in text for claim in CLAIMS)
    assert all(f"### {name}\n" in text for name in SERIES)
    figures = tmp_path / "shown" / "figures"
    assert all((figures / f"{name}.svg").read_bytes().startswith(b"<?xml") for name in ("overview", "v2_leaky"))


def write_original(folder: Path) -> None:
    """What evalharness says of the write-up's own files, as far as the study reads it."""
    folder.mkdir()
    floor = {"last_nats": 1.25, "floor_nats": 1.22, "strength": 0.1}
    signs = {"findings": [{"probe": "smoothing_floor", "evidence": floor}]}
    summary = {"completions": 52, "degenerate": {"estimate": 1.0, "low": 0.93, "high": 1.0}}
    for name, content in (("log_signs.json", signs), ("completions.jsonl", summary), ("row_ends.json", [True, False])):
        (folder / name).write_text(json.dumps(content))
