"""A window of attention that training did not have, or one that it had and that is missing here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalharness.diagnosis.trials.kept_values import kept_values
from evalharness.diagnosis.trials.other_value import other_value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalharness.diagnosis.repair import Repair
    from evalharness.diagnosis.subject import Subject

NAMES = ("sliding_window", "sliding_window_size", "window_size", "attention_window", "local_window", "window")
EVERYTHING = 2**20
"""A window that no row is longer than; code that reads a number may not read None."""
SMALLEST = 8


def repairs(subject: Subject) -> Iterator[Repair]:
    """Every earlier token, and windows of a power of two tokens that rows are longer than."""
    module, split = subject.torch_model.module, subject.validation
    kept = kept_values(module, NAMES, int) or kept_values(module, NAMES, type(None))
    longest = max((len(row.ids) for row in split.encoded), default=0) if split is not None else 0
    for window in (EVERYTHING, *_windows(longest)) if kept else ():
        place, own = next(iter(kept.items()))
        if not (own is None and window == EVERYTHING) and any(value != window for value in kept.values()):
            yield _of_window(kept, place, window)


def _of_window(kept: dict[str, int | None], place: str, window: int) -> Repair:
    key, own = place.rpartition(".")[2], kept[place]
    written = None if window == EVERYTHING else window
    here = "every earlier one" if own is None else f"the last {own} alone"
    remedy = (
        f"Set `{key}` to {'null (every earlier token)' if written is None else written}, as in training: each "
        f"token sees {here}. To keep the window, train with it: an attention that is not given it has none."
    )
    return other_value(kept, written, kind="window", set_to=window, shown=_shown, remedy=remedy)


def _shown(window: int | None) -> str:
    return "null" if window is None else str(window)


def _windows(longest: int) -> Iterator[int]:
    window = SMALLEST
    while window < longest:
        yield window
        window *= 2
