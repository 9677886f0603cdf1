"""A loss that ends well above the lowest that it had: a run that diverged, or a validation loss that turned."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from evalharness.records import Finding, NotTestable, Outcome, RuledOut
from evalharness.training_log.signs.loss_words import shown

if TYPE_CHECKING:
    import numpy.typing as npt

    Numbers = npt.NDArray[np.float64]

NAME = "ends_above_its_lowest"
FEWEST_TRAIN, FEWEST_VALIDATION = 20, 5
"""Fewer losses of a kind don't tell a rise from noise."""
WIDTH = 11
"""Training losses are noisy: the level at a step is the median of so many of them."""
RISEN_NATS, RISEN_DEVIATIONS = 0.1, 6.0
"""A rise counts from a tenth of a nat on, and from six deviations of the losses about their level on."""


def ends_above_its_lowest(train: tuple[Numbers, Numbers], validation: tuple[Numbers, Numbers]) -> Outcome:
    """Compare the end of each split's losses, given as steps and nats, with the lowest level before it."""
    results = {
        split: _rise(*losses, width)
        for split, losses, width, fewest in (
            ("train", train, WIDTH, FEWEST_TRAIN),
            ("validation", validation, 1, FEWEST_VALIDATION),
        )
        if len(losses[0]) >= fewest
    }
    if not results:
        return NotTestable(NAME, "too_few", f"{len(train[0]):,} training losses are too few")
    evidence: dict[str, float | str | int] = {}
    for split, (step, low, last, _) in results.items():
        evidence |= {f"{split}_lowest_step": step, f"{split}_lowest_nats": low, f"{split}_last_nats": last}
    risen = [split for split, (_, low, last, room) in results.items() if last - low > room]
    if not risen:
        return RuledOut(NAME, "The losses end at their lowest level, or near it.", evidence)
    return _finding(risen, results, evidence)


def _finding(
    risen: list[str], results: dict[str, tuple[int, float, float, float]], evidence: dict[str, float | str | int]
) -> Finding:
    parts = []
    for split in risen:
        step, low, last, _ = results[split]
        name = "training" if split == "train" else "validation"
        parts.append(f"the {name} loss ends at {shown(last)} nats and was at {shown(low)} at step {step:,}")
    claim = f"The loss rose and did not come back: {'; '.join(parts)}."
    remedy = "Take the checkpoint at the lowest validation loss: the model learns the training rows by heart after it."
    if "train" in risen:
        remedy = "Go back to a checkpoint before the rise; look at the learning rate, the gradient's norm and the data."
    return Finding(NAME, "contributing", claim, evidence, remedy)


def _rise(steps: Numbers, nats: Numbers, width: int) -> tuple[int, float, float, float]:
    """The step of the lowest level, that level, the last one (nats), and how much of a rise is noise."""
    padded = np.pad(nats, width // 2, mode="edge")
    level = np.median(np.lib.stride_tricks.sliding_window_view(padded, width), axis=1)
    lowest = int(np.argmin(level))
    about = nats - level if width > 1 else np.diff(nats)[len(nats) // 2 :]
    deviation = 1.4826 * float(np.median(np.abs(about - np.median(about))))
    return int(steps[lowest]), float(level[lowest]), float(level[-1]), max(RISEN_NATS, RISEN_DEVIATIONS * deviation)
