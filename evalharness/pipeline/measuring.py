"""What the completions are like, and what the losses were."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalharness.errors import EvaluationError
from evalharness.records import Loss

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evalharness.degeneration import Degeneration
    from evalharness.pipeline.work import Group, Work
    from evalharness.records import Completion


def analyse(work: Work, completions: Mapping[Group, tuple[Completion, ...]]) -> dict[Group, tuple[Degeneration, ...]]:
    """Measure the degeneration of every completion."""
    from evalharness.degeneration import Written, analyse_all

    decode, problems = work.checkpoint.tokenizer.decode, work.problems
    return {
        group: analyse_all(
            [
                Written(c.text, c.token_ids, c.token_entropy_nats, c.stop_reason, problems[c.task_id].prompt, c.task_id)
                for c in members
            ],
            decode,
        )
        for group, members in completions.items()
    }


def measure_loss(work: Work) -> Loss:
    """The logged loss, and the recomputed and the honest one where there is data to compute them on."""
    from evalharness.diagnosis import paired_loss

    logged, source = _logged(work)
    validation = work.manifest.data.validation
    if validation is None:
        return Loss(logged, source, None, None, "not recomputed: no evalharness.toml names [data] validation")
    if len(work.data) < 2:
        few = f"not recomputed: {validation.name} has {len(work.data)} rows with a target, an interval needs 2"
        return Loss(logged, source, None, None, few)
    work.watcher.stage("measuring the honest loss", 1)
    try:
        # Not in batches of the size that was asked for: rounding would then show in the last digits of the losses.
        measured = paired_loss(work.checkpoint.model, work.data, seed=work.options.seed)
    except EvaluationError as error:
        work.incomplete.append(f"the loss could not be recomputed: {error}")
        return Loss(logged, source, None, None, f"not recomputed: {error}")
    work.watcher.advance()
    counted = "completion only" if work.manifest.loss.count_prompt is False else "prompt and completion"
    convention = (
        f"mean over {measured.targets} targets drawn from {measured.rows} rows of {validation.name}, {counted}, "
        "each row a sequence of its own, labels not smoothed"
    )
    return Loss(logged, source, measured.parallel_nats, measured.honest_nats, convention)


def _logged(work: Work) -> tuple[float | None, str | None]:
    from evalharness.training_log import logged_validation

    point = logged_validation(work.log, work.checkpoint.info.step)
    if point is not None:
        return point.loss_nats, f"{point.source}, step {point.step}"
    logged = work.checkpoint.logged_val_loss
    return logged, None if logged is None else "the checkpoint's own record"
