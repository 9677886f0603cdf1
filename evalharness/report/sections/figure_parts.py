"""The figures of the reports as parts, each with a sentence that says what it shows."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from evalharness.report.parts import Figure, Paragraph

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from evalharness.report.parts import Part

ALT_TEXTS = {
    "losses": "Logged losses by training step, with the recomputed and the honest loss at the scored step",
    "loss_by_class": "Loss by kind of token with confidence intervals, before training and at this checkpoint",
    "passage": "One row of data twice, coloured by the loss of each token: with the whole row as input, and without",
    "pass_at_1": "pass@1 with its confidence interval for each problem set, greedy and sampled",
    "onsets": "At which token loops begin, by kind",
    "entropy": "Entropy of the model's predictions by position, for degenerate and for other completions",
    "entropy_at_onset": "Entropy of the model's predictions before a loop begins and in the loop",
    "loss_and_behaviour": "The losses and the behaviour by training step, with confidence intervals",
    "kinds_by_step": "Kinds of degeneration by training step",
    "entropy_by_step": "Entropy of the predictions by position, one line per step",
    "loss_against_behaviour": "The validation loss against the pass rate, by step",
}


def figure(name: str, figures: Mapping[str, bytes], *, before: str = "", after: str = "") -> Iterator[Part]:
    """Yield the figure of that name, with what is said before and after it; nothing if there is none.

    ``figures`` holds each SVG by its path relative to the report.
    """
    for path, svg in figures.items():
        if PurePosixPath(path).stem == name:
            yield from (Paragraph(text) for text in (before,) if text)
            yield Figure(path, svg, ALT_TEXTS[name])
            yield from (Paragraph(text) for text in (after,) if text)
