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
        return Judgement("collapsed", _passes(sampled, "sampled", COLLAPSED_SAMPLED_SHARE, "collapsed"))
    if sampled is not None and sampled.low > DEGENERATING_SAMPLED_SHARE:
        return Judgement("degenerating", _passes(sampled, "sampled", DEGENERATING_SAMPLED_SHARE, "degenerating"))
    if greedy is not None and greedy.low > DEGENERATING_GREEDY_SHARE:
        return Judgement("degenerating", _passes(greedy, "greedy", DEGENERATING_GREEDY_SHARE, "degenerating"))
    return Judgement("healthy", _healthy_because(greedy, sampled))


def is_too_early_to_tell(card: Scorecard) -> bool:
    """Whether nothing speaks against the checkpoint only because the completions are too few, or greedy alone.

    The interval of the sampled ones does not rule a collapse out then.
    """
    sampled = card.degeneration.get("sampled")
    return card.verdict == "healthy" and (sampled is None or sampled.high > COLLAPSED_SAMPLED_SHARE)


def _passes(share: Interval, decoding: str, threshold: float, verdict: str) -> str:
    return f"{_degenerate(share, decoding)}; more than {_whole_percent(threshold)} counts as {verdict}"


def _healthy_because(greedy: Interval | None, sampled: Interval | None) -> str:
    if sampled is None and greedy is None:
        return "there are no completions to judge"
    if sampled is None:
        return "greedy completions alone can't show a collapse, because small sound models loop when greedy"
    for threshold in (COLLAPSED_SAMPLED_SHARE, DEGENERATING_SAMPLED_SHARE):
        if sampled.high > threshold:
            unknown = f"too few to tell whether it is more than {_whole_percent(threshold)}"
            return f"{_degenerate(sampled, 'sampled')}; {unknown}"
    return f"{_degenerate(sampled, 'sampled')}; less than {_whole_percent(DEGENERATING_SAMPLED_SHARE)}"


def _degenerate(share: Interval, decoding: str) -> str:
    bounds = f"[{100 * share.low:.1f}, {100 * share.high:.1f}]"
    return f"{_percent(share.estimate)} of {decoding} completions are degenerate {bounds}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _whole_percent(share: float) -> str:
    return f"{100 * share:.0f} %"
