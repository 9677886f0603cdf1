"""The write-up's claims, each with the function that answers it from the measured fields.

Every function could have said the opposite.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import pandas as pd

    from evalharness.runs.frames import RunFrames

Status = Literal["refuted", "confirmed", "not shown"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the measurements say of a claim."""

    status: Status
    evidence: str


@dataclass(frozen=True, slots=True)
class Forgetting:
    """Loss (nats per token) on library functions before the tuning and after it."""

    before: float
    after: float


@dataclass(frozen=True, slots=True)
class Study:
    """The records of every series."""

    runs: dict[str, RunFrames]
    forgetting: dict[str, Forgetting]

    def last(self, name: str) -> pd.Series:
        return self.runs[name].checkpoints.sort_values("step").iloc[-1]

    def first(self, name: str) -> pd.Series:
        return self.runs[name].checkpoints.sort_values("step").iloc[0]

    def logged(self, name: str) -> tuple[float, float]:
        """The first and the last logged validation loss."""
        rows = self.runs[name].losses
        values = rows[rows["split"] == "validation"].sort_values("step")["loss_nats"]
        return float(values.iloc[0]), float(values.iloc[-1])


@dataclass(frozen=True, slots=True)
class Claim:
    said: str
    answer: Callable[[Study], Answer]


def nats(value: float) -> str:
    return "–" if value != value else f"{value:.3g}" if value < 0.1 else f"{value:.3f}"


def interval(row: pd.Series, name: str) -> str:
    return f"{nats(row[name])} [{nats(row[f'{name}_low'])}, {nats(row[f'{name}_high'])}]"


def share(row: pd.Series, name: str) -> str:
    return f"{row[name]:.1%} [{row[f'{name}_low']:.1%}, {row[f'{name}_high']:.1%}]"


def weak_base(study: Study) -> Answer:
    leaky, causal = study.last("v1_leaky"), study.last("v1_causal")
    return Answer(
        "refuted" if leaky["cause"] == "future_leak" and causal["cause"] != "future_leak" else "not shown",
        f"Before any tuning the base's cause is `{leaky['cause']}`: honest loss {interval(leaky, 'honest_nats')}, "
        f"degenerate {share(leaky, 'degenerate_sampled')}. Its twin, with a mask and as many parameters: "
        f"{interval(causal, 'honest_nats')}, {share(causal, 'degenerate_sampled')}.",
    )


def capacity(study: Study) -> Answer:
    leaky, causal = study.last("v2_leaky"), study.last("v2_causal")
    before, after = study.logged("v2_causal")
    is_better = causal["degenerate_sampled_high"] < leaky["degenerate_sampled_low"]
    return Answer(
        "refuted" if is_better and after < before else "not shown",
        f"The same adapter over the base with a mask lowers the validation loss from {nats(before)} to {nats(after)}, "
        f"and {share(causal, 'degenerate_sampled')} of completions are degenerate, of the leaky one "
        f"{share(leaky, 'degenerate_sampled')}.",
    )


def dynamics(study: Study) -> Answer:
    base, tuned = study.last("v1_leaky"), study.last("v2_leaky")
    was_there = base["degenerate_sampled_low"] > 0.5
    return Answer(
        "refuted" if was_there else "not shown",
        f"The base without a mask is degenerate before the first step of tuning: {share(base, 'degenerate_sampled')}; "
        f"after it {share(tuned, 'degenerate_sampled')}.",
    )


def unreliable(study: Study) -> Answer:
    leaky, causal = study.last("v2_leaky"), study.last("v2_causal")
    agrees = causal["honest_nats_low"] <= causal["logged_nats"] <= causal["honest_nats_high"]
    differs = leaky["logged_nats"] < leaky["honest_nats_low"]
    return Answer(
        "refuted" if agrees and differs else "not shown",
        f"With a mask the logged loss is the honest one: {nats(causal['logged_nats'])} and "
        f"{interval(causal, 'honest_nats')}. Without, it is {nats(leaky['logged_nats'])} against "
        f"{interval(leaky, 'honest_nats')}: the loss was right about what it measured, which was copying.",
    )


def scale(study: Study) -> Answer:
    many, few = study.last("v2_causal"), study.last("v2_few")
    return Answer(
        "refuted" if many["honest_nats_high"] < few["honest_nats_low"] else "not shown",
        f"With a mask, honest validation loss on 500 rows {interval(many, 'honest_nats')}, on the first 49 "
        f"{interval(few, 'honest_nats')}, equal steps.",
    )


def forgets(study: Study) -> Answer:
    leaky, causal = study.forgetting["v2_leaky"], study.forgetting["v2_causal"]
    return Answer(
        "confirmed" if causal.after - causal.before < 0.1 else "refuted",
        f"Loss on library functions before and after the tuning, with a mask: {nats(causal.before)} and "
        f"{nats(causal.after)}; without, where it is copying: {nats(leaky.before)} and {nats(leaky.after)}. "
        "Counted as kept: less than 0.1 nats higher.",
    )


def longer(study: Study) -> Answer:
    early, late, leaky = study.first("v2_causal"), study.last("v2_causal"), study.last("v2_leaky")
    return Answer(
        "refuted" if late["honest_nats"] < early["honest_nats"] else "confirmed",
        f"With a mask the honest loss goes from {interval(early, 'honest_nats')} at step {early['step']:,.0f} to "
        f"{interval(late, 'honest_nats')} at step {late['step']:,.0f}. Without one, no length helps: "
        f"{share(leaky, 'degenerate_sampled')} degenerate at the last step.",
    )


def versions(_: Study) -> Answer:
    return Answer(
        "not shown",
        "The whole fine-tunings of the earlier versions are not made again. What their losses measured is what "
        "the base's measured, since they had the same attention.",
    )


CLAIMS = (
    Claim("The base model is too weak.", weak_base),
    Claim("LoRA's capacity is too small.", capacity),
    Claim("Training found a local minimum in which newlines are cheap.", dynamics),
    Claim("Loss metrics are unreliable for such models.", unreliable),
    Claim("Scale alone doesn't fix it (500 rows instead of 49).", scale),
    Claim("LoRA prevents forgetting.", forgets),
    Claim("Longer training won't help.", longer),
    Claim("All versions before failed in the same way (the table of versions).", versions),
)
