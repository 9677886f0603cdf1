"""Does the model compute with a cache what it computes without one? Generation runs on it, the loss does not."""

from __future__ import annotations

import inspect
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from evalharness.diagnosis.probe import MODULE, Probe
from evalharness.diagnosis.trials.logit_changes import compare, tolerance_of, unsteady, unsteady_reason
from evalharness.diagnosis.trials.real_inputs import LONGEST, NO_INPUTS, awake, of_one_length, real_inputs
from evalharness.errors import EvaluationError
from evalharness.models.protocols import tail_logits
from evalharness.records import Finding, NotTestable, RuledOut
from evalharness.statistics.plurals import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalharness.diagnosis.measured import Measured
    from evalharness.diagnosis.subject import Subject
    from evalharness.models.protocols import TorchModel
    from evalharness.records import Outcome

NAME = "cache_mismatch"
ROWS = 3
LENGTH = 128
STEPS = 32
"""Tokens read one by one behind the rest of the row: a window that slides, or a position that is counted wrongly, shows
at the first of them or within a few."""


def cache_mismatch(measured: Measured) -> Outcome:
    """Compare the logits of rows read whole with those of the same rows read into a cache.

    They are read token by token, as a completion is written; and several tokens at once, as drafts, a prompt in pieces
    and a chat that goes on are read. Costs ``ROWS * (STEPS + 4)`` forwards, most of them of a single token.
    """
    subject = measured.subject
    if "cache" not in subject.model.capabilities:
        return _without_cache(subject)
    inputs = real_inputs(subject)
    return _compared(subject, inputs) if inputs else NotTestable(NAME, "no_data", NO_INPUTS)


def _compared(subject: Subject, inputs: Sequence[tuple[int, ...]]) -> Outcome:
    model, moves = awake(subject.torch_model, inputs)
    if not moves:
        return NotTestable(
            NAME, "does_not_apply", "no token moves the logits of another position, so a cache changes nothing"
        )
    length = min(subject.model.context_length or LONGEST, LENGTH)
    rows = of_one_length(inputs, ROWS, length)
    noise = unsteady(model, rows[0])
    if noise is not None:
        return NotTestable(NAME, "undecided", unsteady_reason(noise))
    steps = min(STEPS, length - 1)
    try:
        cached = list(_cached(model, rows, steps))
    except EvaluationError as error:
        return NotTestable(NAME, "capability", str(error))
    # In one batch, as they were read into the cache: how much rows of a batch move each other is another question.
    whole = tail_logits(model, torch.tensor(rows, device=model.device), steps)
    outcome = _outcome(model, rows, whole, cached)
    return _read_at_once(model, rows, whole, outcome) if isinstance(outcome, RuledOut) else outcome


def _outcome(
    model: TorchModel, rows: Sequence[tuple[int, ...]], whole: torch.Tensor, cached: Sequence[torch.Tensor]
) -> Finding | RuledOut:
    """Compare what was read token by token with ``whole``, one pass over each of ``rows``."""
    length, steps = len(rows[0]), whole.shape[1]
    moved = compare(zip(whole, cached, strict=True), tolerance_of(model))
    evidence = moved.evidence | {"length": length, "steps": steps}
    if not moved.is_fault:
        claim = (
            f"With a cache the model computes what it computes without: over {steps} tokens of each of {len(rows)} "
            f"rows of {length}, read one by one, logits moved by at most {moved.largest_nats:.1g} nats."
        )
        return RuledOut(NAME, claim, evidence)
    wrong = sum(
        int(w.argmax() != c.argmax()) for a, b in zip(whole, cached, strict=True) for w, c in zip(a, b, strict=True)
    )
    claim = (
        f"With a cache the model computes something else: in {moved.moved_rows} of {counted(moved.rows, 'row')}, "
        f"tokens read one "
        f"by one get other logits than in one pass, by up to {moved.largest_nats:.3g} nats; at {wrong} of "
        f"{counted(len(rows) * steps, 'position')} the most probable token is another."
    )
    remedy = (
        "Generate without the cache (use_cache=False) and compare what is written; then count positions from the "
        "length of the cache on, rotate keys by their own positions, and keep as many as the attention's window."
    )
    return Finding(NAME, "cause", claim, evidence | {"other_most_probable": wrong}, remedy)


def _read_at_once(
    model: TorchModel, rows: Sequence[tuple[int, ...]], whole: torch.Tensor, one_by_one: RuledOut
) -> Finding | RuledOut:
    """Compare the same tokens read in one pass behind the cache: each may see those before it alone."""
    steps = whole.shape[1]
    try:
        cached = list(_cached(model, rows, steps, at_once=steps))
        moved = compare(zip(whole, cached, strict=True), tolerance_of(model))
    except EvaluationError:
        return one_by_one  # a cache that takes single tokens alone: nothing else is ever read behind it
    if steps == 1 or not moved.is_fault:
        return replace(one_by_one, evidence={**one_by_one.evidence, "at_once_change_nats": moved.largest_nats})
    claim = (
        f"Behind a cache several tokens at once get other logits than one by one: {steps} tokens in one pass move by "
        f"up to {moved.largest_nats:.3g} nats in {moved.moved_rows} of {counted(moved.rows, 'row')}, and read one by "
        f"one by at most {one_by_one.evidence['largest_change_nats']:.1g}."
    )
    evidence = moved.evidence | {"length": len(rows[0]), "steps": steps, "at_once": True}
    remedy = (
        "Make the causal mask for any number of new tokens: the new token i sees all that the cache has and the new "
        "tokens up to i. Until then give the model one token at a time behind a cache: no drafts, no prompt in pieces, "
        "no chat that goes on from its cache."
    )
    return Finding(NAME, "contributing", claim, evidence, remedy)


def _without_cache(subject: Subject) -> NotTestable:
    """A module of one's own may well have a cache, in a form that only its author's ``generate`` knows."""
    module = subject.torch_model.module
    name, taken = type(module).__name__, cache_parameters(module)
    if not taken:
        reason = f"the forward pass of {name} takes no cache: it reads the whole text for each token"
        return NotTestable(NAME, "does_not_apply", reason)
    own = f"{name} keeps a cache in a form of its own ({', '.join(taken)})"
    if subject.own_generate is not None:
        return NotTestable(NAME, "does_not_apply", f"{own}: own_generation asks about it")
    reason = (
        f"{own}, which only your code can fill: name the function that writes with it under [model] generate, and what "
        "it writes is compared"
    )
    return NotTestable(NAME, "not_known", reason)


def cache_parameters(module: torch.nn.Module) -> tuple[str, ...]:
    """The parameters of a module's forward that take a cache or switch it on, by their names."""
    try:
        names = inspect.signature(module.forward).parameters
    except ValueError:
        return ()
    return tuple(name for name in names if "cache" in name or name.startswith("past") or name == "layer_past")


def _cached(model: TorchModel, rows: Sequence[tuple[int, ...]], steps: int, at_once: int = 1) -> torch.Tensor:
    """Logits ``(rows, steps, vocabulary)`` of the last ids: all ids before in one pass, then ``at_once`` in each."""
    ids = torch.tensor(rows, device=model.device)
    mask = torch.ones_like(ids)
    places = torch.arange(ids.shape[1], device=ids.device).expand_as(ids)
    first = ids.shape[1] - steps
    _, cache = model.cached_logits(ids[:, :first], mask[:, :first], places[:, :first], None)
    parts = []
    for begin in range(first, ids.shape[1], at_once):
        if cache is None:
            raise EvaluationError(f"{type(model.module).__name__} returns no cache")
        end = begin + at_once
        logits, cache = model.cached_logits(ids[:, begin:end], mask[:, :end], places[:, begin:end], cache)
        parts.append(logits)
    return torch.cat(parts, dim=1)


PROBE = Probe(
    name=NAME,
    question="Does the model compute the same with a cache as without?",
    run=cache_mismatch,
    order=140,
    not_worth_trying="Generating without a cache",
    at_most="cause",
    forward_passes=ROWS * (STEPS + 4),
    capabilities=MODULE,
    skipped_if_leak=True,
)
