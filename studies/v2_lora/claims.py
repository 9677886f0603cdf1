"""The write-up's claims, each with the rule and the function that answer it from the measured fields.

Every function could have said the opposite.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from measured import Point, Study, change
from words import difference, loss, nats, share

from evalharness.records import Interval

LEAK = "future_leak"
KEPT = 0.1
"""A tuning has kept what the base learned if its loss on the base's rows rises by less (nats per token)."""

Status = Literal["refuted", "confirmed", "true only without a mask", "not shown"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the measurements say of a claim, in sentences."""

    status: Status
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Claim:
    """What the write-up says, by what rule it is answered, and the function that answers it."""

    said: str
    rule: str
    answer: Callable[[Study], Answer]


def found(status: Status, *evidence: str) -> Answer:
    return Answer(status, evidence)


def is_degenerate(point: Point) -> bool:
    """More than half of the sampled completions, by the lower bound of the interval."""
    return point.degenerate.low > 0.5


def is_better(point: Point, other: Point) -> bool:
    """Fewer degenerate completions, by intervals that do not overlap."""
    return point.degenerate.high < other.degenerate.low


def in_words(point: Point) -> str:
    return f"logged {nats(point.logged)}, honest {loss(point.honest)}, degenerate {share(point.degenerate)}"


def weak_base(study: Study) -> Answer:
    leaky, causal, own = study.last("v1_leaky"), study.last("v1_causal"), study.original
    is_leak = leaky.cause == LEAK and causal.cause != LEAK
    return found(
        "refuted" if is_leak and is_better(causal, leaky) else "not shown",
        f"The base without a mask: {in_words(leaky)}, cause `{leaky.cause}`.",
        f"Its twin with a mask, of equal size, rows and steps: {in_words(causal)}.",
        f"The write-up's own log: its base ended at {own.logged:.4f} nats. With label smoothing of {own.smoothing:g} "
        f"and its vocabulary no model can be below {own.floor:.4f}: it was {own.logged - own.floor:.3f} nats from "
        "perfect prediction. The loss of a weak base is high.",
    )


def capacity(study: Study) -> Answer:
    adapted, whole, twin = (study.last(name) for name in ("v2_leaky", "v1_it_leaky", "v2_causal"))
    fell = study.tunings["v2_causal"].change("tuning")
    return found(
        "refuted" if is_degenerate(whole) and is_better(twin, adapted) and fell.high < 0 else "not shown",
        f"Without a mask: with the adapter {share(adapted.degenerate)} of completions are degenerate, and if every "
        f"weight is trained {share(whole.degenerate)}.",
        f"With a mask the same adapter changes the validation loss by {difference(fell)} nats, and "
        f"{share(twin.degenerate)} of completions are degenerate.",
    )


def dynamics(study: Study) -> Answer:
    base, own, cut = study.last("v1_leaky"), study.original, study.last("v2_cut_leaky")
    before, after = study.newlines("v2_leaky"), study.newlines("v2_cut_leaky")
    return found(
        "refuted" if is_degenerate(base) and after.high < before.low else "not shown",
        f"The base without a mask is degenerate before the first step of tuning: {share(base.degenerate)}.",
        f"So was the write-up's own: of {own.completions} completions by an earlier checkpoint of its base, "
        f"{share(own.degenerate)} are degenerate.",
        f"In {own.ends_in_newline} of the {own.rows} training rows the last token is a newline. Without a mask, only "
        "the last position can't read its answer, so only there the model learns to predict. When it writes, every "
        "position is the last one.",
        f"The same tuning on the same rows without their last newlines: loops of newlines go from {share(before)} of "
        f"sampled completions to {share(after)}, and {share(cut.degenerate)} are degenerate.",
    )


def formatting(study: Study) -> Answer:
    leaky, causal = (study.shares_of_fall(name) for name in ("v2_leaky", "v2_causal"))
    is_content = bool(leaky) and bool(causal) and all(at_most(fall) < 0.5 for fall in (leaky, causal))
    return found(
        "refuted" if is_content else "not shown",
        f"Without a mask, shares of the fall of the loss: {of_classes(leaky)}. But that is learning to copy.",
        f"With a mask: {of_classes(causal)}.",
    )


FORMATTING = ("newline", "indentation", "blank")


def at_most(fall: dict[str, Interval]) -> float:
    """No less than the share of formatting: the upper bounds of its classes together."""
    return sum(fall[name].high for name in FORMATTING if name in fall)


def of_classes(fall: dict[str, Interval]) -> str:
    return ", ".join(f"{name} {share(measured)}" for name, measured in fall.items()) or "it did not fall"


def unreliable(study: Study) -> Answer:
    masked = [study.last(name) for name in ("v2_causal", "v2_few", "v1_it_causal")]
    agree = [point for point in masked if point.honest.low <= point.logged <= point.honest.high]
    leaky, causal = study.last("v2_leaky"), study.last("v2_causal")
    return found(
        without_a_mask_only(leaky.logged < leaky.honest.low, len(agree) == len(masked)),
        f"Without a mask, tuned: {in_words(leaky)}. The loss measured copying.",
        f"With a mask, tuned: {in_words(causal)}.",
        f"In {len(agree)} of {len(masked)} tunings with a mask the logged loss is within the honest one's interval.",
    )


def scale(study: Study) -> Answer:
    leaky = (study.last("v1_it_leaky"), study.last("v2_leaky"))
    few, many = (study.tunings[name] for name in ("v2_few", "v2_causal"))
    more_rows = change(few.losses[few.last, "tuning"], many.losses[many.last, "tuning"])
    return found(
        without_a_mask_only(all(map(is_degenerate, leaky)), more_rows.high < 0),
        f"Without a mask: degenerate {share(leaky[0].degenerate)} on 49 rows, {share(leaky[1].degenerate)} on 500.",
        "With a mask, for equal steps, 500 rows instead of 49 change the validation loss by "
        f"{difference(more_rows)} nats.",
    )


def without_a_mask_only(is_true_without: bool, is_false_with: bool) -> Status:
    if is_true_without and is_false_with:
        return "true only without a mask"
    return "refuted" if is_false_with else "confirmed" if is_true_without else "not shown"


def forgets(study: Study) -> Answer:
    adapter, whole, many = (study.tunings[name] for name in ("v2_few", "v1_it_causal", "v2_causal"))
    rise = adapter.change("base")
    whole_more = change(adapter.losses[adapter.last, "base"], whole.losses[whole.last, "base"])
    before, after = study.tunings["v2_leaky"].ends("base")
    return found(
        "confirmed" if rise.high < KEPT and whole_more.low > 0 else "refuted" if rise.low > KEPT else "not shown",
        f"With a mask, on 49 rows: the loss on the base's rows changes by {difference(rise)} nats with the adapter, "
        f"and by {difference(whole.change('base'))} if every weight is trained for as many steps.",
        f"With a mask, on 500 rows: by {difference(many.change('base'))} with the adapter.",
        f"Without a mask it can't be tested: {nats(before)} nats before and {nats(after)} after measure copying.",
    )


def longer(study: Study) -> Answer:
    tuning, scored = study.tunings["v2_causal"], study.steps("v2_leaky")
    leaky = (study.at("v2_leaky", scored[0]), study.last("v2_leaky"))
    first, late = tuning.steps[1], tuning.steps[-2]
    gain = tuning.change("tuning", since=first)
    return found(
        without_a_mask_only(all(map(is_degenerate, leaky)), gain.high < 0),
        f"Without a mask: degenerate {share(leaky[0].degenerate)} at step {scored[0]:,}, "
        f"{share(leaky[1].degenerate)} at step {scored[-1]:,}.",
        f"With a mask the validation loss changes by {difference(gain)} nats from step {first:,} to {tuning.last:,}, "
        f"and by {difference(tuning.change('tuning', since=late))} from step {late:,} on.",
    )


def versions(study: Study) -> Answer:
    leaky = {name: study.last(name) for name in ("v1_leaky", "v1_it_leaky", "v2_leaky")}
    causal = {name: study.last(name) for name in ("v1_causal", "v1_it_causal", "v2_causal")}
    is_one_failure = all(point.cause == LEAK and is_degenerate(point) for point in leaky.values())
    return found(
        "confirmed" if is_one_failure and all(point.cause != LEAK for point in causal.values()) else "not shown",
        *(f"`{name}`: {in_words(point)}, cause `{point.cause}`." for name, point in leaky.items()),
        *(f"`{name}`: {in_words(point)}." for name, point in causal.items()),
    )


CLAIMS = (
    Claim(
        "The base model is too weak.",
        "Refuted if the base without a mask leaks, and its twin does not and has fewer degenerate completions.",
        weak_base,
    ),
    Claim(
        "LoRA's capacity is too small.",
        "Refuted if training every weight is degenerate, too, while the adapter over the twin is less so and learns.",
        capacity,
    ),
    Claim(
        "Training found a local minimum in which newlines are cheap.",
        "Refuted if the model is degenerate before the tuning, and fewer newlines come of rows that don't end in one.",
        dynamics,
    ),
    Claim(
        "The loss fell because newlines and spaces were learned, not code.",
        "Refuted if newlines, indentation and blanks together have less than half of the fall, by their upper bounds.",
        formatting,
    ),
    Claim(
        "Loss metrics are unreliable for such models.",
        "True only without a mask if there alone the logged loss is not the honest one.",
        unreliable,
    ),
    Claim(
        "Scale alone doesn't fix it (500 rows instead of 49).",
        "True only without a mask if both are degenerate without one, and more rows lower the loss with one.",
        scale,
    ),
    Claim(
        "LoRA prevents forgetting.",
        f"Confirmed if the loss on the base's rows rises by less than {KEPT} nats, and by more without LoRA.",
        forgets,
    ),
    Claim(
        "Longer training won't help.",
        "True only without a mask if it stays degenerate without one, and the loss keeps falling with one.",
        longer,
    ),
    Claim(
        "All versions fail in the same way (the table of versions).",
        "Confirmed if all versions without a mask are degenerate of one cause, and no twin has it.",
        versions,
    ),
)
