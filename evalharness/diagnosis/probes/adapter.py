"""Whether the adapter is in the model, whole and once.

It may be absent, unmatched, zero, for the most part never trained, wrongly scaled, or applied twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

import torch

from evalharness.diagnosis.data.spread import evenly
from evalharness.diagnosis.probe import MODULE, Probe
from evalharness.diagnosis.trials.adapter_gradients import with_gradient
from evalharness.diagnosis.trials.logit_changes import change
from evalharness.diagnosis.trials.random_adapter import random_adapter
from evalharness.diagnosis.trials.real_inputs import real_inputs
from evalharness.models.log_softmax import in_chunks
from evalharness.records import Finding, NotTestable, RuledOut
from evalharness.statistics import mean_over_rows
from evalharness.statistics.plurals import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalharness.diagnosis.measured import Measured
    from evalharness.diagnosis.subject import Subject
    from evalharness.models.protocols import AdaptedWeight, AdapterFacts
    from evalharness.records import Outcome

NAME = "adapter"
ROWS = 16
"""Rows that the two models are compared on, two passes each, a third for the noise, a fourth for a random adapter."""
VISIBLE_UNITS = 4
"""An adapter has to move something where it changes some weight by this many units in the last place of its precision;
what changes less may be lost in rounding, as after one step at a small rate."""
SCALE_TOLERANCE = 0.01
"""Scales are exact numbers of a configuration: a hundredth is beyond any rounding."""
TIMES_TOLERANCE = 0.1
"""How far ⟨W − W₀, Δ⟩/‖Δ‖² may be from a whole number: rounding W to bfloat16 leaves it within some hundredths, as
its errors do not lie along Δ."""
UNEXPLAINED = 0.5
"""Where more than half of W − W₀ (by norm) does not lie along Δ, W₀ is not the weight that the adapter was put into."""

MOST_UNLEARNED = 0.5
"""From half of its weights on this can't be what was meant; fewer may have been frozen with intent."""
SHOWN = 3
"""Modules that a claim names; the evidence has all."""

TELLING = {"kl_nats", "times_median", "step"}
"""Figures one of which there is where the adapter was seen at work: tensors that have their place say nothing alone."""


@dataclass(frozen=True, slots=True)
class _Times:
    """How many times Δ is in a weight, and the share of W − W₀ that is something else."""

    name: str
    times: float
    unexplained: float


def adapter(measured: Measured) -> tuple[Outcome, ...]:
    """Ask all that can be told: unmatched names, zero, absent, scale, times. Costs ``4 * ROWS`` forwards of one row."""
    subject = measured.subject
    facts = subject.adapter
    unmatched = [] if facts is None else _unmatched(facts)
    tensors: list[Outcome] = []
    if facts is not None and facts.weights:
        zero = _zero(facts)
        if zero is not None:
            return (_together((*unmatched, zero)),)
        unlearned = _unlearned(subject, facts)
        if unlearned is not None:
            return (_together((*unmatched, unlearned)),)
        tensors = [outcome for outcome in (_scale(facts), _times(facts)) if outcome is not None]
    outcomes = (*unmatched, *_effect(subject), *tensors)
    return (_together(outcomes),)


def _together(outcomes: Sequence[Outcome]) -> Outcome:
    """One answer to the one question: the first finding, else what is ruled out with what could not be told.

    A wrong scale, and an adapter that is off, show in how often it is in the weights as well: named once.
    """
    finding = next((outcome for outcome in outcomes if isinstance(outcome, Finding)), None)
    cleared = [outcome for outcome in outcomes if isinstance(outcome, RuledOut)]
    not_told = [outcome for outcome in outcomes if isinstance(outcome, NotTestable)]
    doubtful = next((outcome for outcome in not_told if outcome.kind in {"undecided", "not_known"}), None)
    if finding is not None:
        return finding
    if doubtful is not None:
        return doubtful
    if not any(TELLING & set(outcome.evidence) for outcome in cleared):
        return not_told[0]
    evidence = {name: value for outcome in cleared for name, value in outcome.evidence.items()}
    claims = [outcome.claim for outcome in cleared] + [f"Not told: {unknown.reason}." for unknown in not_told]
    return RuledOut(NAME, " ".join(claims), evidence)


def _unmatched(facts: AdapterFacts) -> list[Outcome]:
    evidence = {"unmatched": len(facts.unmatched), "adapted_weights": len(facts.weights)}
    if not facts.unmatched:
        claim = (
            "Every tensor of the adapter's file has its place: "
            f"{counted(len(facts.weights), 'weight is', 'weights are')} adapted."
        )
        return [RuledOut(NAME, claim, evidence)]
    claim = (
        f"The model has no place for {counted(len(facts.unmatched), 'tensor')} of the adapter's file, "
        f"{facts.unmatched[0]} first; {counted(len(facts.weights), 'weight is', 'weights are')} adapted."
    )
    remedy = "Load the adapter into the base that it was trained over, under the names that it was saved with."
    return [Finding(NAME, "cause", claim, evidence | {"modules": list(facts.unmatched)}, remedy)]


def _zero(facts: AdapterFacts) -> Outcome | None:
    """An adapter whose every change is zero: rightly so at step 0."""
    if any(bool(weight.change().any()) for weight in facts.weights):
        return None
    evidence = {"adapted_weights": len(facts.weights), "step": -1 if facts.step is None else facts.step}
    if facts.step is None:
        return NotTestable(
            NAME,
            "not_known",
            "the adapter changes nothing, and at which step it was saved is not known: at step 0 it rightly doesn't",
        )
    if facts.step == 0:
        claim = f"The adapter changes none of its {counted(len(facts.weights), 'weight')}, as it should at step 0."
        return RuledOut(NAME, claim, evidence)
    claim = (
        f"The adapter changes nothing: B·A is zero in all {len(facts.weights)} adapted weights at step {facts.step}. "
        "What is scored is the base."
    )
    remedy = (
        "Look whether its parameters were handed to the optimizer, and whether they were saved before they were "
        "gathered or after they were merged and reset."
    )
    return Finding(NAME, "cause", claim, evidence, remedy)


def _unlearned(subject: Subject, facts: AdapterFacts) -> Finding | None:
    """Weights whose change is exactly zero beside others that learned, though their loss has a gradient there.

    B begins at zero and any gradient moves it. One that text does not reach rightly stays there, and is not counted.
    """
    zero = [weight.name for weight in facts.weights if not bool(weight.change().any())]
    reached = with_gradient(subject, zero) if zero and facts.step != 0 else frozenset()
    still = zero if reached is None else [name for name in zero if name in reached]
    if not still:
        return None
    share = len(still) / len(facts.weights)
    learned = [weight.name for weight in facts.weights if weight.name not in set(zero)]
    evidence: dict[str, Any] = {
        "adapted_weights": len(facts.weights),
        "never_learned": len(still),
        "unlearned_share": share,
        "learned": len(learned),
        "modules": still,
        "gradient_is_there": reached is not None,
        "step": -1 if facts.step is None else facts.step,
    }
    at = "" if facts.step is None else f" at step {facts.step}"
    gradient = (
        ""
        if reached is None
        else f" As the model is loaded here, the loss of training rows has a gradient in each of the {len(still)}: "
        "one step of training would have moved them."
    )
    claim = (
        f"{len(still)} of {len(facts.weights)} adapted weights never learned: B is exactly zero{at} in {_some(still)}. "
        f"What was learned is in {_some(learned)} alone.{gradient}"
    )
    return Finding(NAME, "contributing" if share >= MOST_UNLEARNED else "note", claim, evidence, _GRADIENTS_END)


def _some(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")


_GRADIENTS_END = (
    "Look where gradients ended in training. With gradient checkpointing over a frozen embedding, call "
    "model.enable_input_require_grads() before training, or set gradient_checkpointing_kwargs = "
    '{"use_reentrant": False}. Else look for torch.no_grad() or detach() before the first module that learned, and for '
    "parameters that the optimizer was not given. Then train again."
)


def _effect(subject: Subject) -> list[Outcome]:
    """Whether switching the adapter off changes what the model predicts."""
    without = subject.without_adapter
    if without is None:
        return [NotTestable(NAME, "capability", "the model can't be run without its adapter")]
    inputs = evenly(real_inputs(subject), ROWS)
    if not inputs:
        return [NotTestable(NAME, "no_data", "there are no inputs to run it on with and without its adapter")]
    moved, noise, divergences, random = 0.0, 0.0, {}, {}
    for i, row in enumerate(inputs):
        ids = torch.tensor([row], device=subject.torch_model.device)
        on, again, off = (model.logits(ids)[0] for model in (subject.torch_model, subject.torch_model, without))
        moved = max(moved, float(change(on, off).max()))
        noise = max(noise, float(change(on, again).max()))
        divergences[i] = _divergence_nats(on, off)
        random[i] = _random_divergence_nats(subject, ids, off)
    kl = mean_over_rows(divergences, seed=subject.seed)
    evidence = {"rows": len(inputs), "kl_nats": kl.estimate, "kl_low": kl.low, "kl_high": kl.high}
    evidence |= {"largest_change_nats": moved, "noise_nats": noise}
    if moved > noise:
        claim = (
            f"The adapter changes what is predicted: KL(with‖without) is {kl.estimate:.3g} nats "
            f"[{kl.low:.3g}, {kl.high:.3g}] over {counted(len(inputs), 'row')}"
        )
        if all(random.values()):
            evidence["random_kl_nats"] = mean_over_rows(random, seed=subject.seed).estimate
            claim += f", and {evidence['random_kl_nats']:.3g} nats for one drawn at random, of the same norm"
        return [RuledOut(NAME, f"{claim}.", evidence)]
    if subject.adapter is None or not _is_visible(subject.adapter):
        reason = (
            f"the adapter moves no logit on {counted(len(inputs), 'row')}, and that its tensors are large enough "
            f"to be seen in "
            "this precision is not known"
        )
        return [NotTestable(NAME, "undecided", reason)]
    claim = (
        f"The adapter is absent from the forward pass: its tensors are not zero, but switching it off moves no logit "
        f"on {counted(len(inputs), 'row')} (largest change {moved:.1g} nats, noise {noise:.1g})."
    )
    remedy = "Activate it (set_adapter, enable_adapter_layers), or merge it; look for a module that was replaced after."
    return [Finding(NAME, "cause", claim, evidence, remedy)]


def _random_divergence_nats(subject: Subject, ids: torch.Tensor, off: torch.Tensor) -> list[float]:
    """The same for an adapter drawn at random: what any change of its size does. Empty without LoRA layers."""
    drawn = random_adapter(subject.torch_model.module, subject.seed)
    if drawn is None:
        return []
    with drawn:
        return _divergence_nats(subject.torch_model.logits(ids)[0], off)


def _divergence_nats(on: torch.Tensor, off: torch.Tensor) -> list[float]:
    """KL(with‖without) at each position; an id that both hold out counts for nothing."""
    values: list[float] = []
    for places, part in in_chunks(on):
        log_p, log_q = (torch.log_softmax(logits, dim=-1) for logits in (part, off[places].double()))
        terms = torch.where(log_p.isfinite(), log_p.exp() * (log_p - log_q), 0.0)
        values += [max(0.0, value) for value in terms.sum(dim=-1).tolist()]
    return values


def _is_visible(facts: AdapterFacts) -> bool:
    """Whether some weight is changed by more than rounding hides."""
    for weight in facts.weights:
        whole, delta = weight.effective(), weight.change()
        if float(delta.norm()) > VISIBLE_UNITS * torch.finfo(whole.dtype).eps * float(whole.norm()):
            return True
    return False


def _scale(facts: AdapterFacts) -> Outcome | None:
    known = [(w.name, w.scale, w.configured_scale) for w in facts.weights if w.scale and w.configured_scale]
    if not known:
        return None
    wrong = [(name, s, c) for name, s, c in known if abs(s / c - 1) > SCALE_TOLERANCE]
    evidence: dict[str, float | str] = {"weights": len(known), "wrongly_scaled": len(wrong)}
    if not wrong:
        claim = (
            f"The adapter has the scale of its configuration in all {counted(len(known), 'weight')} "
            f"({known[0][1]:.4g})."
        )
        return RuledOut(NAME, claim, evidence | {"scale": known[0][1]})
    name, scale, configured = wrong[0]
    claim = (
        f"The adapter is applied with the wrong scale in {len(wrong)} of {counted(len(known), 'weight')}: "
        f"{scale:.4g} instead of "
        f"{configured:.4g} in {name}, {scale / configured:.3g} times what its configuration says."
    )
    remedy = "Scale by lora_alpha / r (by lora_alpha / sqrt(r) where use_rslora is set), as in training."
    evidence |= {"scale": scale, "configured_scale": configured}
    return Finding(NAME, "cause", claim, evidence | {"modules": [other for other, _, _ in wrong]}, remedy)


def _times(facts: AdapterFacts) -> Outcome:
    """How many times the adapter is in the weights: ⟨W − W₀, Δ⟩/‖Δ‖², for which W₀ has to be known."""
    measured = [times for weight in facts.weights if (times := _times_in(weight)) is not None]
    if not measured:
        reason = (
            "whether the adapter is in the weights once or twice can't be told: the weights that it was trained over "
            "are not known; for a merged checkpoint [model] merged_adapter and weights name them"
        )
        return NotTestable(NAME, "no_base", reason)
    middle = median(t.times for t in measured)
    unexplained = median(t.unexplained for t in measured)
    wrong = [t for t in measured if abs(t.times - 1) > TIMES_TOLERANCE]
    evidence: dict[str, float | str] = {
        "weights": len(measured),
        "wrong_weights": len(wrong),
        "times_median": middle,
        "times_lowest": min(t.times for t in measured),
        "times_highest": max(t.times for t in measured),
        "unexplained_share": unexplained,
    }
    if unexplained > UNEXPLAINED and any(t.times for t in measured):
        reason = (
            f"{100 * unexplained:.0f} % of what was changed in the weights does not lie along the adapter: they are no "
            "merge of it into the weights that it is compared with"
        )
        return NotTestable(NAME, "undecided", reason)
    if not wrong:
        claim = (
            f"The adapter is in the weights once: ⟨W − W₀, Δ⟩/‖Δ‖² is {middle:.3f} (median of "
            f"{counted(len(measured), 'weight')}, "
            f"{evidence['times_lowest']:.3f} to {evidence['times_highest']:.3f})."
        )
        return RuledOut(NAME, claim, evidence)
    claim = (
        f"The adapter is in the weights {_how_often(median(t.times for t in wrong))}, not once: ⟨W − W₀, Δ⟩/‖Δ‖² has "
        f"the median {middle:.3f} over {counted(len(measured), 'weight')}, and is not 1 in {len(wrong)} "
        f"({wrong[0].name} first)."
    )
    remedy = (
        "Merge the adapter once, into the weights that it was trained over: twice means that the base was merged "
        "already, not at all that what was saved is the base, anything else a wrong scale."
    )
    return Finding(NAME, "cause", claim, evidence | {"modules": [other.name for other in wrong]}, remedy)


def _how_often(times: float) -> str:
    usual: Sequence[tuple[int, str]] = ((0, "not at all"), (2, "twice"))
    near = next((word for number, word in usual if abs(times - number) <= TIMES_TOLERANCE), None)
    return near or f"{times:.2f} times"


def _times_in(weight: AdaptedWeight) -> _Times | None:
    if weight.original is None:
        return None
    delta = weight.change().double()
    squared = float((delta * delta).sum())
    if squared == 0.0:
        return None
    changed = weight.effective().double() - weight.original().double()
    times = float((changed * delta).sum()) / squared
    whole = float(changed.norm())
    rest = float((changed - times * delta).norm())
    return _Times(weight.name, times, rest / whole if whole else 0.0)


PROBE = Probe(
    name=NAME,
    question="Is the adapter in the model, complete and only once?",
    run=adapter,
    order=110,
    not_worth_trying="Loading or scaling the adapter in another way",
    at_most="cause",
    forward_passes=4 * ROWS,
    needs=("adapter",),
    capabilities=MODULE,
)
