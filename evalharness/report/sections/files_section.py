"""The section on the files of a run: what it came from, its best checkpoint, and what was written of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalharness.report.loss_against_behaviour import logged_points
from evalharness.report.numbers import nats
from evalharness.report.parts import BulletList, Code, Heading
from evalharness.report.run_evidence import at_step

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from evalharness.report.parts import Part, Text
    from evalharness.report.run_evidence import Run


def files_section(run: Run, figures: Mapping[str, bytes]) -> Iterator[Part]:
    """Yield the files that the run came from, then those of its report."""
    yield Heading("Files")
    files = [*run.files, *((path, "figure") for path in sorted(figures))]
    yield BulletList((*_inputs(run), *((Code(path), f": {content}") for path, content in files)))


def _inputs(run: Run) -> Iterator[Text]:
    yield from ((Code(path), f": {content}") for path, content in run.inputs)
    yield from _best_checkpoint(run)


def _best_checkpoint(run: Run) -> Iterator[Text]:
    """The checkpoint with the lowest logged validation loss, of those that were scored."""
    logged = logged_points(run.frames, "validation").groupby("step")["loss_nats"].last()
    scored = {step: float(logged[step]) for step in run.checkpoints if step in logged}
    if scored:
        step = min(scored, key=lambda step: (scored[step], step))
        loss = f"{nats(scored[step])} nats per token at {at_step(step)}"
        yield (Code(run.checkpoints[step]), f": scored checkpoint with the lowest logged validation loss, {loss}")
