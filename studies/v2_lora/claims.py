"""The write-up's claims, each with the rule and the function that answer it from the measured fields.

Every function could have said the opposite.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import permutations
from typing import Literal

from measured import Point, Study, Tuning, change
from wording import difference, loss, nats, share

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


def writes_newlines(point: Point) -> bool:
    """More than half of the sampled completions, by the lower bound of the interval."""
    return point.newlines.low > 0.5


def is_better(point: Point, other: Point) -> bool:
    """Fewer loops of newlines and a lower honest loss, by intervals that do not overlap."""
    return point.newlines.high < other.newlines.low and point.honest.high < other.honest.low


def losses(point: Point) -> str:
    return f"loss {nats(point.logged)} as logged, honest {loss(point.honest)}"


def written(point: Point) -> str:
    return f"loops of newlines {share(point.newlines)}, degenerate in all {share(point.degenerate)}"


def weak_base(study: Study) -> Answer:
    leaky, causal, own = study.last("v1_leaky"), study.last("v1_causal"), study.original
    is_leak = leaky.cause == LEAK and causal.cause != LEAK
    return found(
        "refuted" if is_leak and is_better(causal, leaky) else "not shown",
        f"The base without a mask: {losses(leaky)}; {written(leaky)}; cause `{leaky.cause}`.",
        f"Its twin with a mask, of equal size, rows and steps: {losses(causal)}; {written(causal)}.",
        f"The write-up's own log: its base ended at {own.logged:.4f} nats. With label smoothing of {own.smoothing:g} "
        f"and its vocabulary no model can be below {own.floor:.4f}: it was {own.logged - own.floor:.3f} nats from "
        "perfect prediction. The loss of a weak base is high.",
    )


def capacity(study: Study) -> Answer:
    adapted, whole, twin = (study.last(name) for name in ("v2_leaky", "v1_it_leaky", "v2_causal"))
    fell = study.tunings["v2_causal"].change("tuning")
    return found(
        "refuted" if writes_newlines(whole) and is_better(twin, adapted) and fell.high < 0 else "not shown",
        f"Without a mask, the adapter alone trained: {written(adapted)}.",
        f"Without a mask, every weight trained: {written(whole)}.",
        f"With a mask, the adapter alone: it changes the validation loss by {difference(fell)} nats; {written(twin)}.",
        f"With a mask, every weight trained on 49 rows: {at_best(study.tunings['v1_it_causal'])}. The adapter on 500 "
        f"rows: {at_best(study.tunings['v2_causal'])}.",
    )


def at_best(tuning: Tuning) -> str:
    return f"the lowest validation loss is {nats(tuning.losses[tuning.best, 'tuning'].mean)} (step {tuning.best:,})"


def dynamics(study: Study) -> Answer:
    base, tuned, cut, own = *(study.last(name) for name in ("v1_leaky", "v2_leaky", "v2_cut_leaky")), study.original
    return found(
        "refuted" if writes_newlines(base) and cut.newlines.high < tuned.newlines.low else "not shown",
        f"The base without a mask, before the first step of tuning: {written(base)}.",
        f"The write-up's own base: of {own.completions} completions by an earlier checkpoint "
        f"{share(own.degenerate)} are degenerate.",
        f"In {own.ends_in_newline} of the {own.rows} training rows, cut to the context, the last token is a newline. "
        "Without a mask, only the last position can't read its answer, so only there the model learns to predict. When "
        "it writes, every position is the last one.",
        f"Tuned on the rows as they are: {written(tuned)}.",
        f"Tuned on the same rows without their last newlines: {written(cut)}.",
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
    masked = {name: study.last(name) for name in ("v2_causal", "v2_few", "v1_it_causal")}
    agree = [point for point in masked.values() if point.honest.low <= point.logged <= point.honest.high]
    misleading = [pair for pair in permutations(masked.values(), 2) if misleads(*pair)]
    solving = [point for point in masked.values() if any(solved.estimate for solved in point.passes)]
    leaky = study.last("v2_leaky")
    is_honest = len(agree) == len(masked)
    return found(
        "confirmed" if misleading else without_a_mask_only(leaky.logged < leaky.honest.low, is_honest),
        f"Without a mask, `v2_leaky`: {losses(leaky)}. The loss measured copying.",
        *(f"With a mask, `{name}`: {losses(point)}." for name, point in masked.items()),
        f"In {len(agree)} of these {len(masked)} the logged loss is within the honest one's interval. With a mask the "
        "loss is real.",
        f"In {len(misleading)} of their {math.comb(len(masked), 2)} pairs the series with the lower loss solves fewer "
        f"problems. {len(solving)} of the {len(masked)} solve any, and where none does this can't be told.",
    )


def misleads(point: Point, other: Point) -> bool:
    """A lower honest loss, and fewer problems of a set solved, both by intervals that do not overlap."""
    is_lower = point.honest.high < other.honest.low
    return is_lower and any(own.high < of_other.low for own, of_other in zip(point.passes, other.passes, strict=True))


def scale(study: Study) -> Answer:
    leaky = (study.last("v1_it_leaky"), study.last("v2_leaky"))
    few, many = (study.tunings[name] for name in ("v2_few", "v2_causal"))
    more_rows = change(few.losses[few.last, "tuning"], many.losses[many.last, "tuning"])
    return found(
        without_a_mask_only(all(map(writes_newlines, leaky)), more_rows.high < 0),
        f"Without a mask: loops of newlines {share(leaky[0].newlines)} on 49 rows, {share(leaky[1].newlines)} on 500.",
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
    tuning, few, scored = study.tunings["v2_causal"], study.tunings["v2_few"], study.steps("v2_leaky")
    leaky = (study.at("v2_leaky", scored[0]), study.last("v2_leaky"))
    first, late = tuning.steps[1], tuning.steps[-2]
    gain = tuning.change("tuning", since=first)
    return found(
        without_a_mask_only(all(map(writes_newlines, leaky)), gain.high < 0),
        f"Without a mask: loops of newlines {share(leaky[0].newlines)} at step {scored[0]:,}, "
        f"{share(leaky[1].newlines)} at step {scored[-1]:,}.",
        f"With a mask the validation loss changes by {difference(gain)} nats from step {first:,} to {tuning.last:,}, "
        f"and by {difference(tuning.change('tuning', since=late))} from step {late:,} on.",
        f"With a mask on 49 rows: {at_best(few)}. To the end it changes by "
        f"{difference(few.change('tuning', since=few.best))} nats.",
    )


def versions(study: Study) -> Answer:
    leaky = {name: study.last(name) for name in ("v1_leaky", "v1_it_leaky", "v2_leaky")}
    causal = {name: study.last(name) for name in ("v1_causal", "v1_it_causal", "v2_causal")}
    is_one_failure = all(point.cause == LEAK and writes_newlines(point) for point in leaky.values())
    return found(
        "confirmed" if is_one_failure and all(point.cause != LEAK for point in causal.values()) else "not shown",
        *(f"`{name}`: {losses(point)}; {written(point)}; cause `{point.cause}`." for name, point in leaky.items()),
        *(f"`{name}`: {losses(point)}; {written(point)}." for name, point in causal.items()),
    )


CLAIMS = (
    Claim(
        "The base model is too weak.",
        "refuted if the base without a mask leaks, and its twin has no leak, a lower honest loss and fewer newlines.",
        weak_base,
    ),
    Claim(
        "LoRA's capacity is too small.",
        "refuted if newlines come of training every weight, too, while the adapter over the twin learns without them.",
        capacity,
    ),
    Claim(
        "Training found a local minimum in which newlines are cheap.",
        "refuted if newlines come before the tuning, and fewer of them of rows that don't end in one.",
        dynamics,
    ),
    Claim(
        "The loss fell because newlines and spaces were learned, not code.",
        "refuted if newlines, indentation and blanks have less than half of the fall, by their upper bounds.",
        formatting,
    ),
    Claim(
        "Loss metrics are unreliable for such models.",
        "true only without a mask if there alone the logged loss is not the honest one; confirmed if with a mask, too, "
        "a lower loss comes with fewer problems solved.",
        unreliable,
    ),
    Claim(
        "Scale alone doesn't fix it (500 rows instead of 49).",
        "true only without a mask if both write newlines without one, and more rows lower the loss with one.",
        scale,
    ),
    Claim(
        "LoRA prevents forgetting.",
        f"confirmed if the loss on the base's rows rises by less than {KEPT} nats with LoRA and by more without it; "
        f"refuted if it rises by more than {KEPT} with LoRA.",
        forgets,
    ),
    Claim(
        "Longer training won't help.",
        "true only without a mask if newlines stay without one, and the loss keeps falling with one.",
        longer,
    ),
    Claim(
        "All versions fail in the same way (the table of versions).",
        "confirmed if all versions without a mask write newlines of one cause, and no twin has it.",
        versions,
    ),
)
