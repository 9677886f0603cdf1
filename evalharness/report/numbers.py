"""How numbers and outcomes are worded: in one place, so that card, report and figures agree."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Literal

from evalharness.records import Interval

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evalharness.records import CheckpointInfo, DegenerationRate, KindRate, Loss, Scorecard

DECODINGS = ("greedy", "sampled")
KINDS = {
    "newline": "nothing but line ends, over and over",
    "whitespace": "nothing but whitespace, over and over",
    "token": "one word or sign, over and over",
    "phrase": "the same piece of a line, over and over",
    "line": "the same line, over and over",
    "block": "the same lines, over and over",
    "near": "the same line but for a number or a name, or each copy a little longer",
    "empty": "nothing, or whitespace too short to be a loop",
    "echo": "the prompt again, and no answer after it",
    "same_answer": "the same answer to many problems",
    "gibberish": "neither a program nor words",
}
"""Every kind of degeneration, in the order of the type that lists them and in which reports do."""

LossRelation = Literal["not_measured", "agree", "misleads", "differ"]


def percent(share: float) -> str:
    """Return a share of 1 as ``"0.0 %"``."""
    return f"{100 * share:.1f} %"


def percent_interval(interval: Interval) -> str:
    """Return a share with its interval as ``"0.0 % [0.0, 2.3]"``."""
    return f"{percent(interval.estimate)} {percent_bounds(interval)}"


def percent_bounds(interval: Interval) -> str:
    """Return the interval of a share alone."""
    return f"[{100 * interval.low:.1f}, {100 * interval.high:.1f}]"


def number(value: int | None) -> str:
    """Return ``"1,200"``, or that it is not recorded."""
    return "not recorded" if value is None else f"{value:,}"


def counted(count: int, thing: str, things: str | None = None) -> str:
    """Return ``"1 token"``, ``"1,200 tokens"``; ``things`` where the plural has more than an s."""
    return f"{count:,} {thing if count == 1 else things or f'{thing}s'}"


def nats(value: float) -> str:
    """Return a loss or an entropy with as many decimals as two neighbouring evaluations of one run need to differ."""
    magnitude = abs(value)
    if not math.isfinite(value) or magnitude >= 1000:
        return f"{value:.4g}"
    if 0 < magnitude < 0.001:
        return f"{value:.1e}"
    return f"{value:.4f}" if magnitude < 1 else f"{value:.3f}"


def nats_interval(interval: Interval) -> str:
    """Return a loss with its interval as ``"4.213 [4.101, 4.312]"``; without one where only one row was measured."""
    bounds = nats_bounds(interval)
    return f"{nats(interval.estimate)} {bounds}" if bounds else f"{nats(interval.estimate)} (no interval)"


def nats_bounds(interval: Interval) -> str:
    """Return the bounds alone as ``"[4.101, 4.312]"``, or nothing where they are not finite."""
    if not _bounded(interval):
        return ""
    return f"[{nats(interval.low)}, {nats(interval.high)}]"


def _bounded(interval: Interval) -> bool:
    return math.isfinite(interval.low) and math.isfinite(interval.high)


def times(ratio: float) -> str:
    """Return a factor as ``"354 times"``; from a thousand on no interval of a loss supports more than two digits."""
    if ratio >= 1000:
        return f"about {float(f'{ratio:.2g}'):,.0f} times"
    return f"{ratio:,.0f} times" if ratio >= 10 else f"{ratio:.1f} times"


def of_all(outcomes: Mapping[str, int]) -> str:
    """Return ``"3 of 60"``: how many passed of those that could be judged."""
    judged = sum(outcomes.values()) - outcomes.get("not_judged", 0)
    return f"{outcomes.get('passed', 0):,} of {judged:,}"


def degeneration_interval(rate: DegenerationRate | KindRate) -> Interval:
    """Return the share of degenerate completions, of all kinds or of one, as an interval."""
    return Interval(rate.rate, rate.low, rate.high)


def degenerate_of_all(rate: DegenerationRate) -> str:
    """Return ``"59 of 60"``: how many completions are degenerate of those that were begun."""
    return f"{sum(kind.completions for kind in rate.kinds.values()):,} of {rate.completions:,}"


def kinds_by_count(rate: DegenerationRate) -> str:
    """Return ``"58 newline, 1 token"``, the most frequent kind first."""
    ranked = sorted(rate.kinds.items(), key=lambda item: (-item[1].completions, item[0]))
    return ", ".join(f"{share.completions:,} {kind}" for kind, share in ranked if share.completions)


def short_reason(reason: str) -> str:
    """Return the reason of a verdict without what it says in brackets."""
    return re.sub(r"\s*\([^()]*\)", "", reason)


def step_line(card: Scorecard) -> str:
    """Return one checkpoint in one line: verdict, losses, the best pass@1, what is degenerate, and the first cause."""
    loss = card.loss
    passed = [by_k["1"] for sets in card.pass_at_k.values() for by_k in sets.values() if "1" in by_k]
    best = max(passed, key=lambda share: share.estimate, default=None)
    rate = card.degeneration.get("sampled") or card.degeneration.get("greedy")
    parts = [
        f"{card.verdict:<12}",
        "" if loss.logged_nats is None else f"logged {nats(loss.logged_nats)}",
        "" if loss.honest_nats is None else f"honest {nats(loss.honest_nats.estimate)}",
        "" if best is None else f"pass@1 {percent(best.estimate)}",
        "" if rate is None else f"degenerate {percent(rate.rate)}",
        f"cause {card.cause.probe}" if card.cause else "no cause" if was_diagnosed(card) else "cause not looked for",
    ]
    return "  ".join(part for part in parts if part)


def checkpoint_name(checkpoint: CheckpointInfo) -> str:
    """Return what the checkpoint is called where there is no room for its path: ``"leaky, step 600"``."""
    name = checkpoint.path.rstrip("/\\").replace("\\", "/").rpartition("/")[2] or checkpoint.path
    if checkpoint.step is None or re.search(rf"(?<!\d){checkpoint.step}(?!\d)", name):
        return name
    return f"{name}, step {checkpoint.step:,}"


def loss_relation(loss: Loss) -> LossRelation:
    """Say whether the parallel and the honest loss agree: they do where their intervals overlap.

    ``not_measured``: there is no honest loss, or no interval around one of them, so that nothing can be told.
    ``misleads``: the honest loss is higher. ``differ``: it is lower, so the parallel pass does something else.
    """
    recomputed, honest = loss.recomputed_nats, loss.honest_nats
    if recomputed is None or honest is None or not _bounded(recomputed) or not _bounded(honest):
        return "not_measured"
    if honest.low > recomputed.high:
        return "misleads"
    return "differ" if honest.high < recomputed.low else "agree"


def not_begun(outcomes: Mapping[str, int]) -> str:
    """Say how many completions were not begun, where there are any, and why: they count as not passed."""
    reasons = {"prompt_too_long": "too long a prompt", "prompt_not_encodable": "a prompt that can't be encoded"}
    parts = [f"{outcomes[verdict]} with {why}" for verdict, why in reasons.items() if outcomes.get(verdict)]
    return f" ({', '.join(parts)})" if parts else ""


def logged_elsewhere(loss: Loss) -> bool:
    """Whether the logged loss lies further outside the recomputed one's interval than that interval is wide."""
    logged, recomputed = loss.logged_nats, loss.recomputed_nats
    if logged is None or recomputed is None:
        return False
    width = recomputed.high - recomputed.low
    return not recomputed.low - width <= logged <= recomputed.high + width


def was_seen(card: Scorecard) -> bool:
    """Whether there was a model, and not only completions that another tool wrote."""
    return card.checkpoint.parameters is not None


def was_diagnosed(card: Scorecard) -> bool:
    """Whether any hypothesis was tested."""
    return bool(card.findings or card.ruled_out)


def no_cause_in_words(card: Scorecard) -> str:
    """Say of a scorecard without a cause how many hypotheses were ruled out, and how many could not be tested.

    One that was tested in several ways, or found by one of them, counts once.
    """
    if not was_diagnosed(card):
        return f"not looked for: {'nothing could be tested' if was_seen(card) else 'the model was not seen'}."
    found = {finding.probe for finding in card.findings}
    cleared = {item.probe for item in card.ruled_out} - found
    untested = {item.probe for item in card.not_testable} - found - cleared
    tested = f"{counted(len(cleared), 'hypothesis', 'hypotheses')} {'was' if len(cleared) == 1 else 'were'} tested"
    return f"none found; {tested} and ruled out{f', {len(untested)} could not be tested' if untested else ''}."


def loss_meaning_of(card: Scorecard) -> str:
    """Return what the losses of a scorecard say of each other; completions alone have none."""
    return loss_sentence(card.loss) if was_seen(card) else "The loss was not measured: completions alone have none."


def loss_sentence(loss: Loss) -> str:
    """Return in one sentence what the recomputed and the honest loss say of each other."""
    recomputed, honest = loss.recomputed_nats, loss.honest_nats
    relation = loss_relation(loss)
    if recomputed is None or honest is None or relation == "not_measured":
        return "Whether the loss is real could not be established: that needs rows under [data] validation."
    if relation == "agree":
        if logged_elsewhere(loss):
            return (
                "The recomputed loss needs nothing but the tokens before each target, but it is not the logged one: "
                "other rows, another tokenizer, or another checkpoint."
            )
        return "The loss is real: with nothing but the tokens before each target it is the same within its interval."
    if relation == "differ":
        return "The loss is not what it seems: with nothing but the tokens before each target it is lower."
    factor = honest.estimate / recomputed.estimate if recomputed.estimate > 0 else math.inf
    how_much = f"{times(factor)} as high" if math.isfinite(factor) else "higher"
    return f"The loss is not real: with nothing but the tokens before each target it is {how_much}."
