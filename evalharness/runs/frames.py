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

``entropies``: ``step``, ``split``, ``entropy_nats``, ``source``, ``epoch``, ``time_s``: those that training logged, as
reinforcement learning does.

``row_losses``: ``step``, ``row``, ``targets``, ``parallel_nats``, ``honest_nats``: the measured losses row by row.

A score whose step is not recorded (the folder ``final``) has the step -1, :data:`~evalharness.records.NO_STEP`. The
figures of all this are functions of :mod:`evalharness.report.figures.run_figures`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from html import escape
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalharness.errors import StoreError
from evalharness.records import DECODINGS, NO_STEP, Measure, Verdict
from evalharness.runs import paths, scorecard_json
from evalharness.runs.record_rows import (
    read_analyses,
    read_completions,
    read_executions,
    read_logged_entropies,
    read_logged_losses,
    read_row_losses,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pandas as pd

    from evalharness.records import Completion, Execution, Interval, LossPoint, Scorecard
    from evalharness.runs.record_rows import Analysis

_COLUMNS = {
    "completions": (
        *("step", "problems", "decoding", "task_id", "completion_id", "text", "tokens", "stop_reason", "verdict"),
        *("passed", "degenerate", "kind", "loop_onset", "entropy_nats", "token_entropy_nats", "parses"),
    ),
    "losses": ("step", "split", "loss_nats", "source", "epoch", "time_s"),
    "entropies": ("step", "split", "entropy_nats", "source", "epoch", "time_s"),
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
    entropies: pd.DataFrame
    row_losses: pd.DataFrame

    def _repr_html_(self) -> str:
        """For notebooks: what the run is, and its checkpoints."""
        return f"<p>{escape(repr(self))}</p>{self.checkpoints.to_html(index=False, border=0, float_format='%.4g')}"

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
    scorecards = {step: scorecard_json.read(path) for step, path in folders.items()}
    rows: dict[str, list[dict[str, Any]]] = {
        "completions": [row for step, path in folders.items() for row in _completions(step, path)],
        "losses": [asdict(point) for point in _logged_losses(folder)],
        "entropies": [asdict(point) for point in read_logged_entropies(folder)],
        "row_losses": [
            {"step": step, **asdict(loss)} for step, path in folders.items() for loss in read_row_losses(path)
        ],
    }
    frames = {name: pd.DataFrame(records, columns=list(_COLUMNS[name])) for name, records in rows.items()}
    checkpoints = pd.DataFrame([_checkpoint(step, card) for step, card in scorecards.items()])
    return RunFrames(folder=folder, scorecards=scorecards, folders=folders, checkpoints=checkpoints, **frames)


def _logged_losses(folder: Path) -> list[LossPoint]:
    """The losses beside a run; of a single step those beside its run, up to the step."""
    step = paths.step_in(folder)
    if step is None or not paths.holds_score(folder):
        return read_logged_losses(folder)
    return [point for point in read_logged_losses(folder.parent) if point.step <= step]


def last_scorecard(folder: Path) -> tuple[int, Scorecard]:
    """The last step of a run and its scorecard, without anything else of it. Raises as :func:`load_run` does."""
    step, path = max(_step_folders(folder).items())
    return step, scorecard_json.read(path)


def _step_folders(folder: Path) -> dict[int, Path]:
    if paths.holds_score(folder):
        return {_recorded_step(folder): folder}
    steps = {_step_of(path): path for path in paths.scored_steps(folder)}
    if not steps:
        raise StoreError(paths.nothing_scored(folder))
    return dict(sorted(steps.items()))


def _step_of(folder: Path) -> int:
    step = paths.step_in(folder)
    return _recorded_step(folder) if step is None else step


def _recorded_step(folder: Path) -> int:
    step = scorecard_json.read(folder).checkpoint.step
    return NO_STEP if step is None else step


def _completions(step: int, folder: Path) -> Iterator[dict[str, Any]]:
    for group in paths.groups_in(folder):
        executions = {(e.task_id, e.completion_id): e for e in read_executions(folder, group)}
        analyses = {(a.task_id, a.completion_id): a for a in read_analyses(folder, group)}
        for completion in read_completions(folder, group):
            key = (completion.task_id, completion.completion_id)
            yield {
                "step": step,
                "problems": group.problems,
                "decoding": group.decoding,
                **_written(completion),
                **_executed(executions.get(key)),
                **_analysed(analyses.get(key)),
            }


def _written(completion: Completion) -> dict[str, Any]:
    entropies = completion.token_entropy_nats or ()
    return {
        "task_id": completion.task_id,
        "completion_id": completion.completion_id,
        "text": completion.text,
        "tokens": None if completion.token_ids is None else len(completion.token_ids),
        "stop_reason": completion.stop_reason,
        "entropy_nats": sum(entropies) / len(entropies) if entropies else None,
        "token_entropy_nats": entropies,
    }


def _executed(execution: Execution | None) -> dict[str, Any]:
    if execution is None:
        return {"verdict": None, "passed": None}
    is_judged = execution.verdict is not Verdict.NOT_JUDGED
    return {"verdict": execution.verdict.value, "passed": execution.verdict is Verdict.PASSED if is_judged else None}


def _analysed(analysis: Analysis | None) -> dict[str, Any]:
    if analysis is None:
        return {"degenerate": None, "kind": None, "loop_onset": None, "parses": None}
    return {
        "degenerate": analysis.degenerate,
        "kind": analysis.kind if analysis.degenerate else None,
        "loop_onset": analysis.loop_tokens[0] if analysis.loop_tokens else None,
        "parses": analysis.parses,
    }


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
