"""Which training log was read for a checkpoint, and why; or whose log one is that was not read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalharness.report.loss_verdict import was_seen
from evalharness.statistics.plurals import counted

if TYPE_CHECKING:
    from evalharness.records import LogChoice, Loss, Scorecard

NO_LOG = "none was found beside the checkpoint or above it: --log FILE names one"
SHOWN = 3
"""At most this many files or checkpoints are named."""
_WHY = {
    "named": "named by you",
    "inside": "it lies in the checkpoint's folder",
    "of_its_run": "this checkpoint is a step of its run",
    "called_alike": "it is called like the checkpoint",
    "names_it": "it names the folder that this checkpoint was saved to",
    "alone": "it lies beside the checkpoint, and no other checkpoint does",
}


def log_of_loss(loss: Loss) -> str | None:
    """Return which log was read for a model's loss; where there was none, how to name one; None if none is needed."""
    if loss.log is not None:
        return log_words(loss.log)
    return NO_LOG if loss.logged_nats is None else None


def log_of_card(card: Scorecard) -> str | None:
    """The same for a scorecard. Completions alone, and a model as its authors published it, have no log."""
    is_yours = was_seen(card) and card.checkpoint.commit is None
    return log_of_loss(card.loss) if is_yours or card.loss.log is not None else None


def log_words(choice: LogChoice) -> str:
    """Return the files and why they were read, or why not and what to do."""
    files = _some(choice.files)
    if choice.is_read:
        return f"read from {files} ({_WHY[choice.relation]})"
    if choice.relation == "unreadable":
        return f"no loss was found in {files}: evalharness log {' '.join(choice.files)} says what it looked for"
    option = f"--log {','.join(choice.files)}"
    others = _some(choice.others)
    if choice.relation == "of_another":
        return f"{files} is the log of {others} and was not read; if it is this checkpoint's, add {option}"
    besides = counted(len(choice.others), "other checkpoint")
    return f"{files} lies beside {besides} ({others}) and was not read; if it is this one's, add {option}"


def _some(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{', '.join(names[:SHOWN])}{more}"
