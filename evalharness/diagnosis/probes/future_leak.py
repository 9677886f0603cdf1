"""Does a position see the tokens after it? The probe that everything else waits for.

Two inputs of equal length that differ only after position t must agree at every position up to t, but for the noise
that the same input gives twice. Unequal lengths would prove nothing: a position code may depend on the length.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from random import Random
from typing import TYPE_CHECKING, Any

import torch

from evalharness.diagnosis.losses.leak_worth import leak_worth
from evalharness.diagnosis.losses.row_means import figures
from evalharness.diagnosis.probe import MODULE, Probe
from evalharness.diagnosis.trials.leak_place import LeakPlace, Mixing, leak_place
from evalharness.diagnosis.trials.module_modes import training_without_dropout
from evalharness.diagnosis.trials.real_inputs import NO_INPUTS, real_inputs
from evalharness.diagnosis.trials.redrawn_copy import redrawn_copy
from evalharness.errors import EvaluationError
from evalharness.records import Finding, NotTestable, RuledOut, leaks_when_evaluated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from evalharness.diagnosis.measured import Measured
    from evalharness.models.protocols import TorchModel
    from evalharness.records import Outcome

NAME = "future_leak"
ROWS_BEFORE_TRAINING = 16
"""Rows of a batch, or of the data, that an untrained model is run on."""
LONGEST = 1024
"""Lengths are tried up to the context, but not beyond this: a leak that begins later is not sought."""
NOISE_FACTOR = 10.0
"""A difference counts from ten times what the same input gives twice, or ten units in the last place of a logit."""


FEW_TRIALS = 64
"""Rows longer than this get two trials, which change all tokens after a cut: what mixes positions does so in short
rows too, and in long ones every trial costs a long pass. They are for what begins late: a window, a block, a size that
the length has to reach."""
MODE_LENGTH = 64
"""Ids of the row by which it is seen whether training mode computes something else."""
SHORT = 7
"""A leak in rows this short is sought in longer ones, too: a size of the model may equal 7, and hide the place."""
REMEDIES: dict[Mixing, str] = {
    "attention": "Give the attention a causal mask (scaled_dot_product_attention(…, is_causal=True), or a mask of -inf "
    "above the diagonal, before a softmax over the keys)",
    "convolution": "Pad the convolution on the left alone, by (kernel - 1) * dilation",
    "statistics": "Normalise each position by itself, over its channels (LayerNorm or RMSNorm), or over the positions "
    "before it alone",
    "summary": "Take it over the positions up to each one (a running mean, say), or for each position by itself",
    "weights": "Make the weights between positions lower triangular",
    "other": "Let each position use nothing but itself and the positions before it",
}
"""By how positions are mixed: what to change."""


@dataclass(frozen=True, slots=True)
class Leak:
    """The largest change (nats) of a logit at or before ``cut``, when only tokens after it were changed."""

    change_nats: float
    length: int
    cut: int
    position: int


@dataclass(frozen=True, slots=True)
class _Trial:
    """One pair of inputs: ``changed`` differs from ``ids`` only at positions above ``cut``. All are ``(1, length)``."""

    ids: torch.Tensor
    changed: torch.Tensor
    cut: int


@dataclass(frozen=True, slots=True)
class _Tested:
    """What the trials showed: the worst of them, how many there were, and what counts as a change (nats)."""

    leak: Leak
    worst: _Trial | None
    trials: int
    threshold: float

    @property
    def leaks(self) -> bool:
        return self.leak.change_nats > self.threshold


def future_leak(
    model: TorchModel,
    rows: Sequence[Sequence[int]],
    *,
    redrawn: Callable[[], TorchModel] | None = None,
    seed: int = 0,
    longest: int = LONGEST,
) -> Outcome:
    """Test ``model`` on ``rows`` of real ids (repeated or cut to the lengths that are tried, at most ``longest``).

    ``redrawn`` gives a copy whose all-zero parameters are drawn anew: an untrained model with a zero head moves
    nothing, and proves nothing, until then. Costs some ten forward passes, four of them long, and of a model that leaks
    or whose rows reach each other about 42, six of them long. Raises
    :class:`EvaluationError` where the model returns NaN.
    """
    rows = [row for row in rows if row]
    if len({token_id for row in rows for token_id in row}) < 2:
        return NotTestable(NAME, "no_data", "the rows hold fewer than two different tokens, so none can be exchanged")
    tested = _test(model, rows, seed, longest)
    if tested is None and redrawn is not None:
        model = redrawn()
        tested = _test(model, rows, seed, longest)
    if tested is None:
        reason = "no token moves the logits of another position by more than noise, not even of later ones"
        return NotTestable(NAME, "undecided", reason)
    evidence = {
        "trials": tested.trials,
        "threshold_nats": tested.threshold,
        "largest_change_nats": tested.leak.change_nats,
    }
    if not tested.leaks:
        in_part = _tested_in_part(model, longest)
        claim = (
            f"The model is causal{in_part}: in {tested.trials} trials, changing later tokens moved no earlier logit "
            f"by more than {tested.threshold:.1g} nats, while changing earlier tokens moved later ones."
        )
        return RuledOut(NAME, claim, {**evidence, "longest_row": longest} if in_part else evidence)
    return _finding(tested.leak, evidence, _place(model, tested.worst))


def _tested_in_part(model: TorchModel, longest: int) -> str:
    """What to add to a claim where longer rows are tried if there is time."""
    is_all = longest >= min(model.context_length or LONGEST, LONGEST)
    return "" if is_all else f" in rows of up to {longest} tokens (there was no time for longer ones)"


def _place(model: TorchModel, trial: _Trial | None) -> LeakPlace | None:
    return None if trial is None else leak_place(model, trial.ids, trial.changed, trial.cut)


def _finding(leak: Leak, evidence: dict[str, Any], place: LeakPlace | None) -> Finding:
    claim = (
        f"The model is not causal: in a row of {leak.length} tokens, changing only the tokens after position "
        f"{leak.cut} moves the logits at position {leak.position} by up to {leak.change_nats:.3g}. "
        "The model can read the token that it is asked to predict, so copying lowers its loss."
    )
    evidence = evidence | {"length": leak.length, "cut": leak.cut, "position": leak.position}
    if place is not None:
        claim += f" Later tokens first reach an earlier position in {_named(place)}."
        evidence |= {"place": asdict(place)}
    remedy = REMEDIES["attention" if place is None else place.mixing]
    remedy += ", and train again. No adapter, data or schedule mends weights that have learned to copy."
    return Finding(NAME, "cause", claim, evidence, remedy)


def _named(place: LeakPlace) -> str:
    name = f"`{place.module}` ({place.class_name})" if place.module else f"the model's own forward ({place.class_name})"
    operation = f", in `{place.operation}`" if place.operation else ""
    return f"{name}{operation}{f' called at {place.source}' if place.source else ''}"


def future_leak_of(measured: Measured) -> Outcome:
    """Ask in both modes, on a subject's own rows and problems."""
    subject = measured.subject
    inputs = real_inputs(subject)
    if not inputs:
        return NotTestable(NAME, "no_data", NO_INPUTS)
    outcome = future_leak_in_both_modes(subject.torch_model, inputs, subject.seed)
    if not isinstance(outcome, Finding) or not leaks_when_evaluated(outcome):
        return outcome
    return _weighed(measured, outcome)


def _weighed(measured: Measured, leak: Finding) -> Finding:
    """The leak, with what it is worth if that is nothing: the loss and the completions then have another cause."""
    worth = leak_worth(measured)
    if worth is None or worth.low > 0 or worth.high < 0:
        return leak
    claim = (
        f"{leak.claim} It has not learned to: without the tokens after it a target costs {worth.estimate:+.3g} nats "
        f"more [{worth.low:.3g}, {worth.high:.3g}], so the leak explains neither the loss nor what is written."
    )
    return replace(leak, claim=claim, evidence={**leak.evidence, "unused": True, **figures("worth", worth)})


def future_leak_in_both_modes(
    model: TorchModel, rows: Sequence[Sequence[int]], seed: int = 0, longest: int = LONGEST
) -> Outcome:
    """Ask :func:`future_leak` in evaluation mode, then in training mode without dropout.

    A module may mix positions in training alone, as statistics of a batch do. What was found there has the evidence
    ``mode = "training"``: the loss in training misleads, but the model generates as it should. Rows have at most
    ``longest`` ids.
    """
    evaluated = future_leak(model, rows, redrawn=lambda: redrawn_copy(model), seed=seed, longest=longest)
    if isinstance(evaluated, Finding) or not _differs_in_training(model, rows):
        return evaluated
    with training_without_dropout(model.module):
        trained = future_leak(model, rows, redrawn=lambda: redrawn_copy(model), seed=seed, longest=longest)
    if isinstance(trained, Finding):
        claim = f"In training mode alone, with dropout at zero: {trained.claim}"
        return Finding(NAME, trained.severity, claim, {**trained.evidence, "mode": "training"}, trained.remedy)
    if isinstance(evaluated, NotTestable):
        return evaluated
    if isinstance(trained, NotTestable):
        claim = f"{evaluated.claim} Not told of training mode: {trained.reason}."
        return RuledOut(NAME, claim, {**evaluated.evidence, "mode": "evaluation"})
    return RuledOut(NAME, f"{evaluated.claim} The same in training mode.", evaluated.evidence)


def _differs_in_training(model: TorchModel, rows: Sequence[Sequence[int]]) -> bool:
    """Whether training mode, without dropout, computes something else on a row: two passes that save a whole test."""
    length = min(_lengths(model.context_length)[-1], len(rows[0]), MODE_LENGTH)
    ids = torch.tensor([list(rows[0][:length])], device=model.device)
    evaluated = _logits(model, ids)
    with training_without_dropout(model.module):
        trained = _logits(model, ids)
    return not torch.allclose(evaluated, trained, rtol=1e-4, atol=1e-4, equal_nan=True)


def _test(model: TorchModel, rows: Sequence[Sequence[int]], seed: int, longest: int) -> _Tested | None:
    """Try rows of growing length until one shows a leak; None where nothing moved anything.

    A positive control, at growing lengths until it holds: changing the first token has to move later logits.
    """
    rng = Random(seed)  # noqa: S311 - picks trials, keeps no secret
    vocabulary = sorted({token_id for row in rows for token_id in row})
    leak, worst, trials, control, noise, largest = Leak(0.0, 0, 0, 0), None, 0, 0.0, 0.0, 0.0
    together = True
    for length in _lengths(model.context_length, longest):
        ids = _ids(rows, length, rng).to(model.device)
        reference = _logits(model, ids)
        largest = max(largest, _largest(reference))
        tried = list(_trials(ids, vocabulary, rng))
        trials += len(tried)
        together = together and length <= FEW_TRIALS and _none_moves(model, ids, tried)
        for trial in [] if together else tried:
            before = _moved(_logits(model, trial.changed)[: trial.cut + 1], reference[: trial.cut + 1])
            if float(before.max()) > leak.change_nats:
                leak, worst = Leak(float(before.max()), length, trial.cut, int(before.argmax())), trial
        if leak.change_nats > 0.0:  # else no logit moved by a single bit, and there is no noise to measure
            noise = max(noise, float(_moved(_logits(model, ids), reference).max()))
        threshold = NOISE_FACTOR * max(noise, torch.finfo(torch.float32).eps * largest)
        if control <= threshold:
            # The first token's own position does not count: it moves without any attention.
            first_changed = _changed(ids, range(1), vocabulary, rng)
            control = max(control, float(_moved(_logits(model, first_changed), reference)[1:].max()))
        if length > SHORT and leak.change_nats > threshold:
            break
    return _Tested(leak, worst, trials, threshold) if max(control, leak.change_nats) > threshold else None


def _none_moves(model: TorchModel, ids: torch.Tensor, trials: Sequence[_Trial]) -> bool:
    """Whether no trial moves a bit at or before its cut, when half of them at a time are one batch behind ``ids``.

    That many short rows cost little more than one. It is believed only where ``ids`` itself is the same in both
    batches: what mixes rows, such as statistics of a batch, would move it with its company, and hide a leak.
    """
    half = (len(trials) + 1) // 2
    alike: list[torch.Tensor] = []
    for batch in (trials[:half], trials[-half:]):
        try:
            first, *others = _logits_of_rows(model, torch.cat([ids, *(trial.changed for trial in batch)]))
        except EvaluationError:  # it may take one row alone
            return False
        if any(
            not torch.equal(logits[: trial.cut + 1], first[: trial.cut + 1])
            for logits, trial in zip(others, batch, strict=True)
        ):
            return False
        alike.append(first)
    return torch.equal(*alike)


def _logits(model: TorchModel, ids: torch.Tensor) -> torch.Tensor:
    """``(length, vocabulary)``, of one row."""
    return _logits_of_rows(model, ids)[0]


def _logits_of_rows(model: TorchModel, ids: torch.Tensor) -> torch.Tensor:
    """``(rows, length, vocabulary)``. Raises :class:`EvaluationError` where nothing can be compared."""
    logits = model.logits(ids)
    if bool((logits.isnan() | (logits == torch.inf)).any()) or not bool(logits.isfinite().any(dim=-1).all()):
        raise EvaluationError(f"the model returns NaN or infinity as logits on {ids.shape[1]} tokens of its own data")
    return logits


def _largest(logits: torch.Tensor) -> float:
    """The largest absolute value of a finite logit."""
    low, high = (float(value) for value in torch.aminmax(logits))
    if not math.isfinite(low):
        low = float(logits.masked_fill(logits == -torch.inf, high).min())
    return max(-low, high)


def _moved(logits: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
    """The largest change at each position; a model may hold ids out by -infinity, which stays what it is."""
    if torch.equal(logits, reference):  # bit by bit: in a causal model on most machines, and much cheaper to see
        return torch.zeros(len(logits))
    return torch.where(logits == reference, 0.0, (logits - reference).abs()).amax(dim=-1)


def _lengths(context_length: int | None, longest: int = LONGEST) -> list[int]:
    """Odd ones among them, so that a leak inside blocks of 16 or 64 is not missed."""
    longest = min(context_length or longest, longest)
    return sorted({length for length in (SHORT, 33, longest // 2 + 1, longest) if 2 <= length <= longest})


def _ids(rows: Sequence[Sequence[int]], length: int, rng: Random) -> torch.Tensor:
    """``(1, length)`` real ids: rows one after another, from a random one on."""
    text: list[int] = []
    while len(text) < length:
        text += rng.choice(rows)
    return torch.tensor([text[:length]])


def _trials(ids: torch.Tensor, vocabulary: Sequence[int], rng: Random) -> Iterator[_Trial]:
    """Several cuts; after each, everything is changed, and in short rows the next token alone, and the last alone."""
    length = ids.shape[1]
    apart, drawn = {length // 3, length - 2}, rng.randrange(length - 1)
    cuts = sorted((apart if length > FEW_TRIALS else {0, 1, drawn, length // 2 + 1, *apart}) & set(range(length - 1)))
    for cut in cuts:
        after, following, last = range(cut + 1, length), range(cut + 1, cut + 2), range(length - 1, length)
        # Keys of a dict, unlike those of a set, have an order that does not depend on the process.
        for positions in dict.fromkeys([after] if length > FEW_TRIALS else [after, following, last]):
            yield _Trial(ids, _changed(ids, positions, vocabulary, rng), cut)


def _changed(ids: torch.Tensor, positions: range, vocabulary: Sequence[int], rng: Random) -> torch.Tensor:
    changed = ids.clone()
    for position in positions:
        changed[0, position] = _other(int(ids[0, position]), vocabulary, rng)
    return changed


def _other(token_id: int, vocabulary: Sequence[int], rng: Random) -> int:
    """Another id of those that occur: one that never does may be in no embedding."""
    other = rng.choice(vocabulary)
    return other if other != token_id else vocabulary[(vocabulary.index(other) + 1) % len(vocabulary)]


def future_leak_before_training(measured: Measured) -> Outcome:
    """Ask the same of a model with a batch of its loop, or with the first rows of its data."""
    split = measured.subject.train or measured.subject.validation
    rows = [row.ids for row in split.encoded[:ROWS_BEFORE_TRAINING]] if split else []
    if not rows:
        return NotTestable(NAME, "no_data", "there are no rows with two tokens or more")
    return future_leak_in_both_modes(measured.subject.torch_model, rows, measured.subject.seed)


PROBE = Probe(
    name=NAME,
    question="Does a position see the tokens after it?",
    run=future_leak_of,
    order=10,
    not_worth_trying="Another attention mask",
    at_most="cause",
    explains_all=True,
    forward_passes=100,
    capabilities=MODULE,
)
BATCH_PROBE = Probe(
    name=NAME,
    question="Does a position see the tokens after it, in evaluation or in training mode?",
    run=future_leak_before_training,
    order=10,
    at_most="cause",
    forward_passes=90,
    capabilities=MODULE,
    asked_of=frozenset({"batch", "rows"}),
)
