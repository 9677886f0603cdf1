"""The verdict on a checkpoint, from the intervals of its share of degenerate completions."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evalharness.records import CheckpointVerdict, Interval

COLLAPSED_SAMPLED_SHARE = 0.20
"""Sampling is what keeps a sound model from looping (Holtzman et al. 2020: below 1 % of nucleus samples of GPT-2 loop),
so one sampled completion in five is far outside what a working model does."""

DEGENERATING_SAMPLED_SHARE = 0.05
"""More than ten times the share of loops in human text or in a sound model's samples (Holtzman et al. 2020)."""

DEGENERATING_GREEDY_SHARE = 0.50
"""Small sound models do loop when greedy (Holtzman et al. 2020: 73 % for GPT-2), so greedy decoding alone says at most
that a model is degenerating, and only where most of its completions loop."""


def checkpoint_verdict(greedy: Interval | None, sampled: Interval | None) -> CheckpointVerdict:
    """Return the verdict from the intervals of the shares of degenerate completions, None for what was not decoded.

    A share counts once the lower bound of its interval passes the threshold, so few completions never condemn. Without
    any completions nothing speaks against the checkpoint and it is ``healthy``.
    """
    sampled_low = 0.0 if sampled is None else sampled.low
    greedy_low = 0.0 if greedy is None else greedy.low
    if sampled_low > COLLAPSED_SAMPLED_SHARE:
        return "collapsed"
    if sampled_low > DEGENERATING_SAMPLED_SHARE or greedy_low > DEGENERATING_GREEDY_SHARE:
        return "degenerating"
    return "healthy"
