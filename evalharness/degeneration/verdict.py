"""The verdict on a checkpoint, from the intervals of its share of degenerate completions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evalharness.records import CheckpointVerdict, Interval, Scorecard

COLLAPSED_SAMPLED_SHARE = 0.20
"""Sampling is what keeps a sound model from looping (Holtzman et al. 2020: below 1 % of nucleus samples of GPT-2 loop),
so one sampled completion in five is far outside what a working model does."""

DEGENERATING_SAMPLED_SHARE = 0.05
"""More than ten times the share of loops in human text or in a sound model's samples (Holtzman et al. 2020)."""

DEGENERATING_GREEDY_SHARE = 0.50
"""Small sound models do loop when greedy (Holtzman et al. 2020: 73 % for GPT-2), so greedy decoding alone says at most
that a model is degenerating, and only where most of its completions loop."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict on a checkpoint and the sentence that gives its reason, with the figures that decided."""

    verdict: CheckpointVerdict
    reason: str


def checkpoint_verdict(greedy: Interval | None, sampled: Interval | None) -> Judgement:
    """Judge by the intervals of the shares of degenerate completions, None for what was not decoded.

    A share counts once the lower bound of its interval passes the threshold, so few completions never condemn. Without
    any completions nothing speaks against the checkpoint and it is ``healthy``; how much the completions could have
    shown is said in the reason.
    """
    if sampled is not None and sampled.low > COLLAPSED_SAMPLED_SHARE:
        return Judgement("collapsed", _passes(sampled, "sampled", COLLAPSED_SAMPLED_SHARE))
    if sampled is not None and sampled.low > DEGENERATING_SAMPLED_SHARE:
        return Judgement("degenerating", _passes(sampled, "sampled", DEGENERATING_SAMPLED_SHARE))
    if greedy is not None and greedy.low > DEGENERATING_GREEDY_SHARE:
        return Judgement("degenerating", _passes(greedy, "greedy", DEGENERATING_GREEDY_SHARE))
    return Judgement("healthy", _healthy_because(greedy, sampled))


def is_too_early_to_tell(card: Scorecard) -> bool:
    """Whether nothing speaks against the checkpoint only because the completions are too few, or greedy alone.

    The interval of the sampled ones does not rule a collapse out then.
    """
    sampled = card.degeneration.get("sampled")
    return card.verdict == "healthy" and (sampled is None or sampled.high > COLLAPSED_SAMPLED_SHARE)


def _passes(share: Interval, decoding: str, threshold: float) -> str:
    return (
        f"at least {_percent(share.low)} of the {decoding} completions are degenerate (the lower end of the 95 % "
        f"interval), which is more than {_whole_percent(threshold)}"
    )


def _healthy_because(greedy: Interval | None, sampled: Interval | None) -> str:
    if sampled is None and greedy is None:
        return "no completion was begun, so nothing speaks against it, and nothing for it"
    if sampled is None:
        return "greedy completions alone are no ground for more: small sound models loop when they are greedy"
    if sampled.high > COLLAPSED_SAMPLED_SHARE:
        return (
            f"the completions are too few to tell: up to {_percent(sampled.high)} of the sampled ones may be "
            f"degenerate, and {_whole_percent(COLLAPSED_SAMPLED_SHARE)} would be a collapse"
        )
    if sampled.high > DEGENERATING_SAMPLED_SHARE:
        return (
            f"at most {_percent(sampled.high)} of the sampled completions are degenerate, so it is not collapsed; that "
            f"more than {_whole_percent(DEGENERATING_SAMPLED_SHARE)} are is neither shown nor ruled out"
        )
    return f"at most {_percent(sampled.high)} of the sampled completions are degenerate"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _whole_percent(share: float) -> str:
    return f"{100 * share:.0f} %"
