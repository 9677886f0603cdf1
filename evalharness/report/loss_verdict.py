"""Whether a loss is real: what the logged, the recomputed and the honest loss say of each other."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from evalharness.records import is_proven_repair, leaks_when_evaluated
from evalharness.report.numbers import is_bounded, nats, nats_interval, times

if TYPE_CHECKING:
    from collections.abc import Iterable

    from evalharness.records import Finding, Loss, Scorecard

LossRelation = Literal["not_measured", "agree", "misleads", "differ"]


def loss_relation(loss: Loss) -> LossRelation:
    """Say whether the recomputed and the honest loss agree: they do if their confidence intervals overlap.

    ``not_measured``: there is no honest loss, or no interval around one of them, so nothing can be said.
    ``misleads``: the honest loss is higher. ``differ``: it is lower, so the parallel pass does something else.
    """
    recomputed, honest = loss.recomputed_nats, loss.honest_nats
    if recomputed is None or honest is None or not is_bounded(recomputed) or not is_bounded(honest):
        return "not_measured"
    if honest.low > recomputed.high:
        return "misleads"
    return "differ" if honest.high < recomputed.low else "agree"


def is_logged_elsewhere(loss: Loss) -> bool:
    """Whether the logged loss lies further outside the recomputed one's interval than that interval is wide."""
    logged, recomputed = loss.logged_nats, loss.recomputed_nats
    if logged is None or recomputed is None:
        return False
    width = recomputed.high - recomputed.low
    return not recomputed.low - width <= logged <= recomputed.high + width


def was_seen(card: Scorecard) -> bool:
    """Whether there was a model, and not only completions that another tool wrote.

    A server may not tell how many parameters its model has, and give its losses all the same.
    """
    return card.checkpoint.parameters is not None or card.loss.recomputed_nats is not None


def loss_figures(loss: Loss) -> list[str]:
    """Return the losses that are known, each with its name in every report; the honest one with its interval."""
    return [
        *([] if loss.logged_nats is None else [f"{nats(loss.logged_nats)} logged"]),
        *([] if loss.recomputed_nats is None else [f"{nats(loss.recomputed_nats.estimate)} recomputed"]),
        *([] if loss.honest_nats is None else [f"{nats_interval(loss.honest_nats)} honest (no future tokens)"]),
    ]


def loss_conclusion(card: Scorecard) -> str:
    """Say in one sentence whether the loss of a scorecard is real; completions alone have none."""
    if not was_seen(card):
        return "The loss was not measured: only completions were given."
    return loss_sentence(card.loss, card.findings)


def loss_sentence(loss: Loss, findings: Iterable[Finding]) -> str:
    """Say in one sentence whether the loss is real, given what was found of the model.

    A model that sees later tokens may gain less by it, on few rows, than the error of their losses.
    """
    known = tuple(findings)
    match loss_relation(loss):
        case "agree" if any(map(leaks_when_evaluated, known)):
            return (
                "The loss can't be relied on: the model sees future tokens, though on these rows the gain is within "
                "the error."
            )
        case "agree" if any(map(is_proven_repair, known)) or is_logged_elsewhere(loss):
            return _not_logged(loss, known)
        case "agree":
            return _real(loss)
        case "differ":
            return "The loss is not what it seems: without access to future tokens it is lower."
        case "misleads":
            return f"The loss is not real: without access to future tokens it is {_how_much_higher(loss)}."
        case _:
            return f"Not known whether the loss is real; {_what_is_missing(loss)}."


def _real(loss: Loss) -> str:
    if loss.honest_after_prompt:
        return (
            "After the prompt the loss is real: recomputed without access to future tokens it agrees within error. "
            "The prompt's tokens see each other, as declared: a loss that counts them is lower for it."
        )
    if loss.logged_nats is None:
        return "The recomputed loss is real: it uses no future tokens. No logged loss was there to compare it with."
    return "The loss is real: recomputed without access to future tokens it agrees within error."


def _what_is_missing(loss: Loss) -> str:
    """Why there is nothing to compare: what failed, what can't be asked of a server, or that rows are too few."""
    if loss.recomputed_nats is not None and loss.honest_nats is None:
        return "whether the model sees future tokens could not be tested"
    if loss.recomputed_nats is not None:
        return "too few rows for an interval"
    return loss.convention or "it was not recomputed"


def _not_logged(loss: Loss, findings: tuple[Finding, ...]) -> str:
    if any(map(is_proven_repair, findings)):
        return (
            "The checkpoint is not run as it was trained: with one setting corrected, its loss is the logged one (see "
            "the cause)."
        )
    if any(finding.severity == "cause" for finding in findings):
        return "The recomputed loss uses no future tokens, but it is not the logged loss: see the cause."
    if loss.reproduced_by:
        return (
            "The recomputed loss uses no future tokens. The logged loss is computed otherwise and agrees within error: "
            f"{loss.reproduced_by[0].words}."
        )
    return (
        "The recomputed loss uses no future tokens, but it is not the logged loss: other rows, another tokenizer, or "
        "another checkpoint."
    )


def _how_much_higher(loss: Loss) -> str:
    recomputed, honest = loss.recomputed_nats, loss.honest_nats
    if recomputed is None or honest is None or recomputed.estimate <= 0:
        return "higher"
    factor = honest.estimate / recomputed.estimate
    return f"{times(factor)} as high" if math.isfinite(factor) else "higher"
