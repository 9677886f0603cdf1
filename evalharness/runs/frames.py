"""A run folder as pandas frames, for notebooks and for the reports: one row a completion, a checkpoint, a logged loss.

``completions``: ``step``, ``problems`` (the set), ``decoding``, ``task_id``, ``completion_id``, ``text``, ``tokens``
(their number, NaN where another tool did not write them), ``stop_reason``, ``verdict``, ``passed`` (None where it could
not be judged), ``degenerate``, ``kind`` (None without degeneration), ``loop_onset`` (the first token of the loop, NaN
without one), ``entropy_nats`` (of the predictions, mean over the tokens), ``token_entropy_nats`` (the same token by
token), ``parses`` (as Python).

``checkpoints``: ``step``, ``verdict``, ``cause`` (the probe of the first cause, None without one), ``logged_nats``,
``recomputed_nats`` and ``honest_nats``, ``degenerate_greedy`` and ``degenerate_sampled``, and ``pass_at_<k>`` of each
problem set and decoding (``warmup_greedy_pass_at_1``); each measured one with ``_low`` and ``_high``, shares of 1 and
nats.

``losses``: ``step``, ``split`` (train or validation), ``loss_nats``, ``source``, ``epoch``, ``time_s``.

``row_losses``: ``step``, ``row``, ``targets``, ``parallel_nats``, ``honest_nats``: the measured losses row by row.

A score whose step is not recorded (the folder ``final``) has the step -1, :data:`~evalharness.records.NO_STEP`. The
figures of all this are functions of :mod:`evalharness.report.figures.run_figures`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalharness.errors import StoreError
from evalharness.records import DECODINGS, NO_STEP, Measure
from evalharness.runs import scorecard_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pandas as pd

    from evalharness.records import Interval, Scorecard

LOG_NAME = "log.jsonl"
"""The losses of a run's training logs, as they were read when its report was written."""
_COLUMNS = {
    "completions": (
        *("step", "problems", "decoding", "task_id", "completion_id", "text", "tokens", "stop_reason", "verdict"),
        *("passed", "degenerate", "kind", "loop_onset", "entropy_nats", "token_entropy_nats", "parses"),
    ),
    "losses": ("step", "split", "loss_nats", "source", "epoch", "time_s"),
    "row_losses": ("step", "row", "targets", "parallel_nats", "honest_nats"),
}


@dataclass(frozen=True, slots=True, repr=False)
class RunFrames:
    """A run folder as frames (see the module), and its scorecards and their folders by step."""

    folder: Path
    scorecards: Mapping[int, Scorecard]
    folders: Mapping[int, Path]
    completions: pd.DataFrame
    checkpoints: pd.DataFrame
    losses: pd.DataFrame
    row_losses: pd.DataFrame

    def __repr__(self) -> str:
        """The run's name, its steps, and the rows of each frame: the scorecards alone would fill many screens."""
        steps = ", ".join("not recorded" if step == NO_STEP else f"{step:,}" for step in self.scorecards)
        rows = ", ".join(f"{len(getattr(self, name)):,} {name}" for name in ("checkpoints", *_COLUMNS))
        return f"<run {self.folder.name}: steps {steps}; rows: {rows}>"

    @property
    def last_step(self) -> int:
        """The last scored step; :data:`~evalharness.records.NO_STEP` only where no other was scored."""
        return max(self.scorecards)

    def pass_at_1_columns(self) -> dict[Measure, str]:
        """The columns of ``checkpoints`` that hold a pass@1, by what they measure."""
        sets = (card.pass_at_k.items() for card in self.scorecards.values())
        measures = (
            Measure(decoding, name, 1)
            for name, by_decoding in chain(*sets)
            for decoding in DECODINGS
            if "1" in by_decoding.get(decoding, {})
        )
        return {measure: _pass_column(str(measure.problems), measure.decoding, 1) for measure in measures}

    def numbered(self) -> RunFrames:
        """The same without the score whose step is not recorded, which has no place in an order of steps."""
        return replace(
            self,
            scorecards={step: card for step, card in self.scorecards.items() if step != NO_STEP},
            folders={step: path for step, path in self.folders.items() if step != NO_STEP},
            completions=self.completions[self.completions["step"] != NO_STEP],
            checkpoints=self.checkpoints[self.checkpoints["step"] != NO_STEP],
            row_losses=self.row_losses[self.row_losses["step"] != NO_STEP],
        )


def load_run(folder: Path | str) -> RunFrames:
    """Read the folder of a run, or that of one scored checkpoint.

    Raises :class:`StoreError` where there is no scorecard that this version reads.
    """
    import pandas as pd  # noqa: PLC0415 - whoever wants no frames need not wait for it

    folder = Path(folder)
    folders = _step_folders(folder)
    scorecards = {step: _scorecard(path) for step, path in folders.items()}
    rows = {
        "completions": [row for step, path in folders.items() for row in _completions(step, path)],
        "losses": list(_jsonl(folder / LOG_NAME)),
        "row_losses": [
            {"step": step} | row for step, path in folders.items() for row in _jsonl(path / "losses/validation.jsonl")
        ],
    }
    frames = {name: pd.DataFrame(found, columns=list(_COLUMNS[name])) for name, found in rows.items()}
    checkpoints = pd.DataFrame([_checkpoint(step, card) for step, card in scorecards.items()])
    return RunFrames(folder=folder, scorecards=scorecards, folders=folders, checkpoints=checkpoints, **frames)


def last_scorecard(folder: Path) -> tuple[int, Scorecard]:
    """The last step of a run and its scorecard, without anything else of it. Raises as :func:`load_run` does."""
    step, path = max(_step_folders(folder).items())
    return step, _scorecard(path)


def _step_folders(folder: Path) -> dict[int, Path]:
    own = folder / "scorecard.json"
    if own.is_file():
        return {_recorded_step(folder): folder}
    named = sorted(path.parent for path in folder.glob("*/scorecard.json"))
    steps = {_step_of(path): path for path in named}
    if not steps:
        raise StoreError(f"{folder}: no scorecard.json in it or in its folders: evalharness run or score makes them")
    return dict(sorted(steps.items()))


def _step_of(folder: Path) -> int:
    number = folder.name.removeprefix("step_")
    return int(number) if number.isdigit() else _recorded_step(folder)


def _recorded_step(folder: Path) -> int:
    step = _scorecard(folder).checkpoint.step
    return NO_STEP if step is None else step


def _scorecard(folder: Path) -> Scorecard:
    try:
        return scorecard_json.from_json((folder / "scorecard.json").read_text(encoding="utf-8"))
    except OSError as error:
        raise StoreError(f"{folder / 'scorecard.json'}: can't be read: {error.strerror}") from error
    except StoreError as error:
        raise StoreError(f"{folder / 'scorecard.json'}: {error}; score it again") from error


def _jsonl(path: Path) -> Iterator[dict[str, Any]]:
    if not path.is_file():
        return
    for line in path.read_text(encoding="utf-8").split("\n"):
        if line.strip():
            yield json.loads(line)


def _completions(step: int, folder: Path) -> Iterator[dict[str, Any]]:
    for file in sorted((folder / "completions").glob("*.jsonl")):
        name, decoding = file.stem.rsplit(".", 1)
        executions = _by_completion(folder / "executions" / file.name)
        analyses = _by_completion(folder / "analyses" / file.name)
        for row in _jsonl(file):
            key = (row["task_id"], row["completion_id"])
            execution, analysis = executions.get(key, {}), analyses.get(key, {})
            entropies = row["token_entropy_nats"] or ()
            onset = analysis.get("loop_tokens")
            yield {
                "step": step,
                "problems": name,
                "decoding": decoding,
                "task_id": row["task_id"],
                "completion_id": row["completion_id"],
                "text": row["completion"],
                "tokens": _number_of_tokens(row),
                "stop_reason": row["stop_reason"],
                "verdict": execution.get("verdict"),
                "passed": None if execution.get("verdict") in {None, "not_judged"} else execution["passed"],
                "degenerate": analysis.get("degenerate"),
                "kind": analysis.get("kind") if analysis.get("degenerate") else None,
                "loop_onset": onset[0] if onset else None,
                "entropy_nats": sum(entropies) / len(entropies) if entropies else None,
                "token_entropy_nats": tuple(entropies),
                "parses": (analysis.get("validity") or {}).get("alone"),
            }


def _number_of_tokens(row: Mapping[str, Any]) -> int | None:
    """None if it is not known, which older versions wrote as no tokens for a text that is not empty."""
    ids = row["token_ids"]
    return None if ids is None or (not ids and row["completion"]) else len(ids)


def _by_completion(file: Path) -> dict[tuple[str, int], dict[str, Any]]:
    return {(row["task_id"], row["completion_id"]): row for row in _jsonl(file)}


def _checkpoint(step: int, card: Scorecard) -> dict[str, Any]:
    row: dict[str, Any] = {
        "step": step,
        "verdict": card.verdict,
        "cause": None if card.cause is None else card.cause.probe,
        "logged_nats": card.loss.logged_nats,
    }
    row |= _bounds("recomputed_nats", card.loss.recomputed_nats) | _bounds("honest_nats", card.loss.honest_nats)
    for decoding, rate in sorted(card.degeneration.items()):
        row |= {
            f"degenerate_{decoding}": rate.rate,
            f"degenerate_{decoding}_low": rate.low,
            f"degenerate_{decoding}_high": rate.high,
        }
    for name, by_decoding in card.pass_at_k.items():
        for decoding, by_k in by_decoding.items():
            for k, interval in by_k.items():
                row |= _bounds(_pass_column(name, decoding, k), interval)
    return row


def _pass_column(name: str, decoding: str, k: int | str) -> str:
    return f"{name}_{decoding}_pass_at_{k}"


def _bounds(name: str, interval: Interval | None) -> dict[str, float | None]:
    if interval is None:
        return {name: None, f"{name}_low": None, f"{name}_high": None}
    return {name: interval.estimate, f"{name}_low": interval.low, f"{name}_high": interval.high}
