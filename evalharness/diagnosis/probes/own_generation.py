"""Whether the user's own ``generate`` writes what the model gives when each token is read after all before it.

Nothing here is written with it, so a fault of its own (a cache that is fed wrongly, positions that begin anew, a token
too few) shows in no completion of this harness, and in every one of the user's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from evalharness.diagnosis.probe import MODULE, Probe
from evalharness.diagnosis.trials.fixed_randomness import same_random_numbers
from evalharness.diagnosis.trials.logit_changes import tolerance_of, unsteady, unsteady_reason
from evalharness.diagnosis.trials.real_inputs import NO_INPUTS, of_one_length, real_inputs
from evalharness.errors import EvaluationError
from evalharness.models.protocols import tail_logits
from evalharness.records import Finding, NotTestable, RuledOut

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from evalharness.diagnosis.measured import Measured
    from evalharness.models.protocols import TorchModel
    from evalharness.records import Outcome

    Write = Callable[[Sequence[int], int], tuple[int, ...]]

NAME = "own_generation"
PROMPTS = 8
LENGTH = 48
"""Ids of a prompt, or half of the context where that is less."""
NEW_TOKENS = 32
"""A cache that is fed wrongly shows at the first token or within a few; one that slides, when it is full."""


@dataclass(frozen=True, slots=True)
class _Written:
    """What was written after one prompt: how many tokens, and the first that is not the most probable one, if any.

    ``short_nats`` is how much less probable that one is than the model's own choice.
    """

    tokens: int
    wrong_at: int | None = None
    short_nats: float = 0.0


def own_generation(measured: Measured) -> Outcome:
    """Let the function write greedily, and look each token up in a pass over all that stands before it.

    Costs ``PROMPTS * (NEW_TOKENS + 1)`` forwards at most. A tie within rounding is no difference.
    """
    subject = measured.subject
    model, write, inputs = subject.torch_model, subject.own_generate, real_inputs(subject)
    if write is None or not inputs:
        return NotTestable(NAME, "no_data", NO_INPUTS)
    length = min(LENGTH, (subject.model.context_length or 2 * LENGTH) // 2)
    prompts = of_one_length(inputs, PROMPTS, max(1, length))
    noise = unsteady(model, prompts[0])
    if noise is not None:
        return NotTestable(NAME, "undecided", unsteady_reason(noise))
    new_tokens = min(NEW_TOKENS, length)
    try:
        first, again, drawn_anew = (_seeded(write, prompts[0], new_tokens, measured, more) for more in (0, 0, 1))
        if first != again:
            return _keeps_state(*(_looked_up(model, prompts[0], ids, subject.end_ids) for ids in (first, again)))
        if first != drawn_anew:
            reason = "the function under [model] generate writes something else each time: let it write greedily"
            return NotTestable(NAME, "undecided", reason)
        texts = [_looked_up(model, prompt, write(prompt, new_tokens), subject.end_ids) for prompt in prompts]
    except EvaluationError as error:
        return NotTestable(NAME, "model_failed", str(error))
    return _outcome(texts, length)


def _seeded(write: Write, prompt: Sequence[int], new_tokens: int, measured: Measured, more: int) -> tuple[int, ...]:
    """Write with the random numbers of the subject's seed and ``more``, up to the first end token."""
    with same_random_numbers(measured.subject.seed + more, measured.subject.torch_model.device):
        return _until_end(write(prompt, new_tokens), measured.subject.end_ids)


def _until_end(written: Sequence[int], end_ids: frozenset[int]) -> tuple[int, ...]:
    ended = next((place + 1 for place, token_id in enumerate(written) if token_id in end_ids), len(written))
    return tuple(written[:ended])


def _keeps_state(first: _Written, again: _Written) -> Outcome:
    """What two calls mean that differ with the same prompt and the same random numbers.

    A call that goes on from the one before takes tokens that the model does not give after this prompt. If neither
    does, the two differ by a tie or by a generator of their own, and nothing is told.
    """
    wrong = [written for written in (first, again) if written.wrong_at is not None]
    if len(wrong) != 1:
        reason = (
            "the function under [model] generate writes something else each time, with the same random numbers too: "
            "let it write greedily"
        )
        return NotTestable(NAME, "undecided", reason)
    evidence = {
        "keeps_state": True,
        "tokens": first.tokens + again.tokens,
        "first_difference_at": (wrong[0].wrong_at or 0) + 1,
        "largest_shortfall_nats": wrong[0].short_nats,
    }
    claim = (
        f"Your own generate() keeps state from one call to the next: asked twice for the same prompt with the same "
        f"random numbers, it writes what the model gives once, and the other time another token from new token "
        f"{evidence['first_difference_at']} on, up to {wrong[0].short_nats:.3g} nats less likely."
    )
    remedy = (
        "In generate(), begin each call with an empty cache: clear what the layers keep of keys, values or hidden "
        "states before the first token is read. The completions in this report are written without it."
    )
    return Finding(NAME, "cause", claim, evidence, remedy)


def _looked_up(model: TorchModel, prompt: Sequence[int], written: Sequence[int], end_ids: frozenset[int]) -> _Written:
    """Compare up to the first end token: what stands after it is filling."""
    written = _until_end(written, end_ids)
    if not written:
        return _Written(0)
    ids = torch.tensor([[*prompt, *written[:-1]]], device=model.device)
    logits = tail_logits(model, ids, len(written))[0]
    chosen = logits.gather(1, torch.tensor(written, device=model.device)[:, None])[:, 0]
    short = logits.amax(dim=-1) - chosen
    allowed = tolerance_of(model) * (1.0 + float(logits[logits.isfinite()].abs().max()))
    wrong = (short > allowed).nonzero()[:, 0].tolist()
    return _Written(len(written), wrong[0], float(short[wrong[0]])) if wrong else _Written(len(written))


def _outcome(texts: Sequence[_Written], length: int) -> Outcome:
    tokens = sum(written.tokens for written in texts)
    if not tokens:
        return NotTestable(NAME, "model_failed", "the function under [model] generate writes no token after any prompt")
    wrong = [written for written in texts if written.wrong_at is not None]
    evidence: dict[str, float] = {
        "prompts": len(texts),
        "prompt_tokens": length,
        "tokens": tokens,
        "prompts_that_differ": len(wrong),
    }
    if not wrong:
        claim = (
            f"Your own generate() writes what the model gives: after {len(texts)} prompts of {length} tokens each of "
            f"{tokens} tokens is the most probable one when it is read after all before it."
        )
        return RuledOut(NAME, claim, evidence)
    first = min(written.wrong_at or 0 for written in wrong) + 1
    worst = max(written.short_nats for written in wrong)
    evidence |= {"first_difference_at": first, "largest_shortfall_nats": worst}
    claim = (
        f"Your own generate() does not write what the model gives: after {len(wrong)} of {len(texts)} prompts it takes "
        f"another token than the most probable one, from new token {first} on, up to {worst:.3g} nats less likely."
    )
    remedy = (
        "In generate(), run the model on the whole text for each token and compare; then look at what the cache "
        "changes: the positions of new tokens (count on from the length of the cache), the mask, and which token is "
        "fed back. The completions in this report are written without it."
    )
    return Finding(NAME, "cause", claim, evidence, remedy)


PROBE = Probe(
    name=NAME,
    question="Does your own generate() write what the model gives?",
    run=own_generation,
    order=145,
    not_worth_trying="Rewriting your own generate()",
    at_most="cause",
    forward_passes=PROMPTS * (NEW_TOKENS + 1),
    needs=("own_generate",),
    capabilities=MODULE,
    skipped_if_leak=True,
)
