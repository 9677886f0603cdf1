"""A small run built by hand: completions of other tools' kind, without a model, where nothing else is asked for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import report_example as example

from evalharness.records import CheckpointInfo, Loss, NotTestable, Scorecard
from evalharness.report import Run
from evalharness.runs.frames import _COLUMNS, RunFrames, _checkpoint

UNSEEN = Loss(None, None, None, None, "not recomputed: the model was not seen")
NOT_SEEN = "the model was not seen"


def unseen(step: int | None = 10, **changes) -> Scorecard:
    """The scorecard of completions without a model: nothing was tested, and there is no loss."""
    checkpoint = CheckpointInfo("theirs", "5f1c9d", step, None, "completions of another tool")
    not_testable = tuple(NotTestable(probe, "no_model", NOT_SEEN) for probe in ("future_leak", "adapter"))
    nothing = {"findings": (), "ruled_out": (), "not_testable": not_testable, "loss": UNSEEN}
    return example.scorecard(**{"checkpoint": checkpoint, **nothing, **changes})


def completion(step: int, kind: str | None = None, *, decoding: str = "sampled", task: int = 0, passed=False) -> dict:
    return {
        "step": step, "problems": "warmup", "decoding": decoding, "task_id": f"warmup/{task}", "completion_id": 0,
        "text": "x", "stop_reason": "end_token", "passed": passed, "degenerate": kind is not None, "kind": kind,
        "token_entropy_nats": (),
    }  # fmt: skip


def frames(cards: dict[int, Scorecard], completions=(), losses=(), row_losses=(), entropies=()) -> RunFrames:
    rows = {"completions": completions, "losses": losses, "row_losses": row_losses, "entropies": entropies}
    made = {name: pd.DataFrame(list(found), columns=list(_COLUMNS[name])) for name, found in rows.items()}
    return RunFrames(
        folder=Path("reports/theirs"),
        scorecards=cards,
        folders={step: Path(f"reports/theirs/step_{step}") for step in cards},
        checkpoints=pd.DataFrame([_checkpoint(step, card) for step, card in cards.items()]),
        **made,
    )


def run(held: RunFrames, **changes) -> Run:
    base = Run(frames=held, name="theirs", path="theirs", facts=(), failures=(), others=(), examples=(), questions={})
    return replace(base, **changes)
