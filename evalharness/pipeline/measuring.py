"""What the completions are like, and what the losses were."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalharness.records import Loss

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evalharness.degeneration import Degeneration
    from evalharness.pipeline.work import Group, Work
    from evalharness.records import Completion


def analyse(work: Work, completions: Mapping[Group, tuple[Completion, ...]]) -> dict[Group, tuple[Degeneration, ...]]:
    """Measure the degeneration of every completion."""
    from evalharness.degeneration import analyse as analyse_one

    decode = work.checkpoint.tokenizer.decode
    return {
        group: tuple(
            analyse_one(
                c.text,
                c.token_ids,
                decode=decode,
                token_entropy_nats=c.token_entropy_nats,
                stop_reason=c.stop_reason,
            )
            for c in members
        )
        for group, members in completions.items()
    }


def measure_loss(work: Work) -> Loss:
    """The logged loss, and the recomputed and the honest one where there is data to compute them on."""
    logged, source = _logged(work)
    if work.manifest.data.validation is None:
        nothing = "not recomputed: no evalharness.toml names [data] validation"
        return Loss(logged, source, None, None, nothing)
    return _recomputed(work, logged, source)


def _logged(work: Work) -> tuple[float | None, str | None]:
    from evalharness.training_log import logged_validation

    point = logged_validation(work.log, work.checkpoint.info.step)
    if point is not None:
        return point.loss_nats, f"{point.source}, step {point.step}"
    logged = work.checkpoint.logged_val_loss
    return logged, None if logged is None else "the checkpoint's own record"


def _recomputed(work: Work, logged: float | None, source: str | None) -> Loss:
    from evalharness.diagnosis import paired_loss, read_rows, tokenize

    data, checkpoint = work.manifest.data, work.checkpoint
    assert data.validation is not None  # noqa: S101 - for the type checker: the caller has seen to it
    count_prompt = work.manifest.loss.count_prompt is not False
    rows = tokenize(
        read_rows(data.validation, data.prompt_key, data.completion_key),
        checkpoint.tokenizer,
        context_length=checkpoint.context_length,
        begin=checkpoint.begin_token_ids,
        count_prompt=count_prompt,
    )
    work.watcher.stage("measuring the honest loss", 1)
    measured = paired_loss(checkpoint.model, rows, batch_size=work.options.batch_size, seed=work.options.seed)
    work.watcher.advance()
    convention = (
        f"mean over {measured.targets} targets drawn from {measured.rows} rows of {data.validation.name}, "
        f"{'prompt and completion' if count_prompt else 'completion only'}, each row a sequence of its own"
    )
    return Loss(logged, source, measured.parallel_nats, measured.honest_nats, convention)
