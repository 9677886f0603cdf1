"""Which training log was read for a checkpoint, and why; or whose log one is that was not read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalharness.statistics.plurals import counted

if TYPE_CHECKING:
    from evalharness.records import LogChoice

SHOWN = 3
"""At most this many files or checkpoints are named."""
_WHY = {
    "named": "named by you",
    "inside": "it lies in the checkpoint's folder",
    "of_its_run": "this checkpoint is a step of its run",
    "called_alike": "it is called like the checkpoint",
    "alone": "it lies beside the checkpoint, and no other checkpoint does",
}


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
