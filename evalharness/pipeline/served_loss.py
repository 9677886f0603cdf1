"""The loss of the validation rows by a server's own log-probabilities, where it gives those of what it is given."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalharness.errors import EvaluationError
from evalharness.progress.time_limit import OutOfTime
from evalharness.records import Incomplete, Loss

if TYPE_CHECKING:
    from evalharness.diagnosis import ScoredLoss
    from evalharness.diagnosis.subject import Split
    from evalharness.models.endpoint import ServedModel
    from evalharness.pipeline.work import Work


def served_loss(work: Work, validation: Split, logged: tuple[float | None, str | None]) -> Loss:
    """The logged loss and the server's; no honest one, for what the model sees can't be tested through a server."""
    served = work.served
    if served is None or "prompt_logprobs" not in served.capabilities:
        return Loss(*logged, None, None, "not recomputed: the server gives no log-probabilities of given tokens")
    try:
        found = _asked(work, served, validation)
    except OutOfTime as over:
        return Loss(*logged, None, None, f"not recomputed: {over}")
    except EvaluationError as error:
        work.incomplete.append(Incomplete("loss", None, f"the server's loss could not be computed: {error}"))
        return Loss(*logged, None, None, f"not recomputed: {error}")
    if found is None:
        few = f"{validation.source} has fewer than 2 rows with a target that fits the server's context"
        return Loss(*logged, None, None, f"not recomputed: {few}")
    return Loss(*logged, found.nats, None, _convention(work, validation, found))


def _asked(work: Work, served: ServedModel, validation: Split) -> ScoredLoss | None:
    from evalharness.diagnosis import scored_loss

    rows = validation.measured
    work.watcher.stage("asking the server for the loss", len(rows))

    def advance(count: int) -> None:
        for _ in range(count):
            work.watcher.advance()
        if work.limit is not None:
            work.limit.check()

    return scored_loss(served, rows, work.options.seed, advance)


def _convention(work: Work, validation: Split, found: ScoredLoss) -> str:
    counted = "completion only" if work.manifest.loss.count_prompt is False else "prompt and completion"
    return (
        f"mean over {found.targets:,} targets of {found.rows} rows of {validation.source}, {counted}, each row a "
        "sequence of its own, by the log-probabilities of the server"
    )
