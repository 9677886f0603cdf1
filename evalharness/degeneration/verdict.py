"""The verdict on a checkpoint, from the intervals of its share of degenerate completions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from evalharness.records import Interval

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evalharness.records import CheckpointVerdict, DegenerationRate, Scorecard

COLLAPSED_SAMPLED_SHARE = 0.20
"""Sampling is what keeps a sound model from looping (Holtzman et al. 2020: below 1 % of nucleus samples of GPT-2 loop),
so one sampled completion in five is far outside what a working model does."""

DEGENERATING_SAMPLED_SHARE = 0.05
"""More than ten times the share of loops in human text or in a sound model's samples (Holtzman et al. 2020)."""

DEGENERATING_GREEDY_SHARE = 0.50
"""Small sound models do loop when greedy (Holtzman et al. 2020: 73 % for GPT-2), so greedy decoding alone says at most
that a model is degenerating, and only where most of its completions loop."""

HEALTHY_GREEDY_SHARE = 0.20
"""What would be a collapse in sampled completions. Greedy completions loop more often than sampled ones, so a smaller
greedy share rules a collapse out as well."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict on a checkpoint and the sentence that gives its reason, with the figures that decided."""

    verdict: CheckpointVerdict
    reason: str


def checkpoint_verdict(
    greedy: Interval | None, sampled: Interval | None, after_answer: Mapping[str, Interval] | None = None
) -> Judgement:
    """Judge by the intervals of the shares of degenerate completions, None for what was not decoded.

    A share counts once the lower bound of its interval passes the threshold, so few completions never condemn. They do
    not clear either: a checkpoint is ``healthy`` only if a collapse is ruled out (:func:`rules_collapse_out`), and else
    ``not_judged``.

    ``after_answer`` has the shares of loops that follow a finished answer, by decoding. Leave those loops out of
    ``greedy`` and ``sampled``: a model that is not stopped runs on after its answer, which is no collapse. The reason
    names them.
    """
    judgement = _condemned(greedy, sampled) or _cleared(greedy, sampled) or _not_judged(greedy, sampled)
    return replace(judgement, reason=f"{judgement.reason}{_not_counted(after_answer or {})}")


def rules_collapse_out(greedy: Interval | None, sampled: Interval | None) -> bool:
    """Whether few enough completions are degenerate: of the sampled ones, or of the greedy ones if none was sampled."""
    if sampled is not None:
        return sampled.high <= COLLAPSED_SAMPLED_SHARE
    return greedy is not None and greedy.high <= HEALTHY_GREEDY_SHARE


def loops_when_greedy(greedy: Interval | None) -> bool:
    """Whether most greedy completions are degenerate."""
    return greedy is not None and greedy.low > DEGENERATING_GREEDY_SHARE


def counted_share(rate: DegenerationRate | None) -> Interval | None:
    """The share that the verdict rests on: loops that follow a finished answer are left out.

    Scorecards of before this share was recorded have the whole one in its place.
    """
    if rate is None:
        return None
    return rate.shares.get("degenerate_without_answer") or Interval(rate.rate, rate.low, rate.high)


def is_collapse_ruled_out(card: Scorecard) -> bool:
    """Whether the completions of a scorecard rule a collapse out."""
    return rules_collapse_out(*_counted_shares(card))


def is_too_early_to_tell(card: Scorecard) -> bool:
    """Whether a collapse is not ruled out though nothing shows one: there are too few completions."""
    return card.verdict in {"healthy", "not_judged"} and not is_collapse_ruled_out(card)


def greedy_share_against(card: Scorecard) -> Interval | None:
    """The share of degenerate greedy completions of a healthy checkpoint where it is more than a collapse's would be.

    None where there is nothing that speaks against the verdict, which goes by the sampled completions.
    """
    greedy, _ = _counted_shares(card)
    speaks = card.verdict == "healthy" and greedy is not None and greedy.low > HEALTHY_GREEDY_SHARE
    return greedy if speaks else None


def is_collapse_likely(card: Scorecard) -> bool:
    """Whether the checkpoint collapsed, or most greedy completions are degenerate and no sampled ones oppose it."""
    greedy, sampled = _counted_shares(card)
    return card.verdict == "collapsed" or (loops_when_greedy(greedy) and not rules_collapse_out(greedy, sampled))


def _counted_shares(card: Scorecard) -> tuple[Interval | None, Interval | None]:
    return counted_share(card.degeneration.get("greedy")), counted_share(card.degeneration.get("sampled"))


def _condemned(greedy: Interval | None, sampled: Interval | None) -> Judgement | None:
    if sampled is not None and sampled.low > COLLAPSED_SAMPLED_SHARE:
        return Judgement("collapsed", _passes(sampled, "sampled", COLLAPSED_SAMPLED_SHARE, "collapsed"))
    if sampled is not None and sampled.low > DEGENERATING_SAMPLED_SHARE:
        return Judgement("degenerating", _passes(sampled, "sampled", DEGENERATING_SAMPLED_SHARE, "degenerating"))
    if greedy is not None and loops_when_greedy(greedy):
        return Judgement("degenerating", _passes(greedy, "greedy", DEGENERATING_GREEDY_SHARE, "degenerating"))
    return None


def _cleared(greedy: Interval | None, sampled: Interval | None) -> Judgement | None:
    if not rules_collapse_out(greedy, sampled):
        return None
    if sampled is not None:
        threshold = _whole_percent(DEGENERATING_SAMPLED_SHARE)
        is_less = sampled.high <= DEGENERATING_SAMPLED_SHARE
        conclusion = f"less than {threshold}" if is_less else f"too few to tell whether it is more than {threshold}"
        return Judgement("healthy", f"{_degenerate(sampled, 'sampled')}; {conclusion}")
    if greedy is not None:
        less = f"less than {_whole_percent(HEALTHY_GREEDY_SHARE)}"
        return Judgement("healthy", f"{_degenerate(greedy, 'greedy')}; {less} (nothing was sampled)")
    return None


def _not_judged(greedy: Interval | None, sampled: Interval | None) -> Judgement:
    if sampled is not None:
        too_few = f"too few to tell whether it is more than {_whole_percent(COLLAPSED_SAMPLED_SHARE)}"
        return Judgement("not_judged", f"{_degenerate(sampled, 'sampled')}; {too_few}")
    if greedy is not None:
        too_few = f"too few to tell whether it is more than {_whole_percent(HEALTHY_GREEDY_SHARE)}"
        many = "small sound models may loop that often when greedy, so sample completions to tell"
        unknown = too_few if greedy.low <= HEALTHY_GREEDY_SHARE else many
        return Judgement("not_judged", f"{_degenerate(greedy, 'greedy')}; {unknown}")
    return Judgement("not_judged", "there are no completions to judge")


def _not_counted(after_answer: Mapping[str, Interval]) -> str:
    shares = [f"{_percent(share.estimate)} of {name}" for name, share in after_answer.items() if share.estimate]
    return f"; not counted: {' and '.join(shares)} completions loop after a finished answer" if shares else ""


def _passes(share: Interval, decoding: str, threshold: float, verdict: str) -> str:
    return f"{_degenerate(share, decoding)}; more than {_whole_percent(threshold)} counts as {verdict}"


def _degenerate(share: Interval, decoding: str) -> str:
    bounds = f"[{100 * share.low:.1f}, {100 * share.high:.1f}]"
    return f"{_percent(share.estimate)} of {decoding} completions are degenerate {bounds}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _whole_percent(share: float) -> str:
    return f"{100 * share:.0f} %"
