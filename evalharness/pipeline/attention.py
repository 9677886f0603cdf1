"""Whether the model is causal, and how far rounding moves its logits. Both decide how it may be run."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from evalharness.errors import EvaluationError
from evalharness.pipeline.estimating import say_attention
from evalharness.pipeline.fitting_time import longest_leak_row
from evalharness.records import Finding, NotTestable, RuledOut, leaks_when_evaluated
from evalharness.settings.amounts import bytes_of

if TYPE_CHECKING:
    from evalharness.generation import Settings
    from evalharness.pipeline.work import Attention, Work
    from evalharness.records import Outcome

LARGEST_FLOAT = sys.float_info.max
PROBE_ROWS = 64
PROBE_LENGTH = 1024
NOISE_ROWS = 8
FEW_NOISE_ROWS, SHORT_NOISE_ROW = 2, 96
"""In a limited time noise is measured on so many rows of at most so many ids."""
NOISE_LOGITS = 2**24
"""Logits of all these rows together at most: 64 MiB, several of which are held at a time, one in double precision."""
SHARE_FOR_LOGITS = 4
"""One in so many bytes that are free may go to the logits of a pass: caches and programs need memory, too."""
BYTES_OF_LOGIT = 8
"""In float32, and once more where it is picked out or drawn from."""
ROOM_CHARACTERS = 800
"""What a completion gets room for: 95 % of HumanEval's own solutions are shorter."""


def probe_attention(work: Work) -> Settings:
    """Probe the model, keep what was found in ``work``, and return how it is to be run."""
    if "module" not in work.checkpoint.model.capabilities:
        return _of_server(work)
    work.watcher.stage("probing the attention", 2)
    rows = _real_rows(work)
    work.leak = _asked(work, rows)
    work.watcher.advance()
    work.attention = _attention(work)
    settings = _settings(work, rows)
    work.watcher.advance()
    return settings


def _of_server(work: Work) -> Settings:
    """How a model is run that is a server's alone: a server makes of any weights a causal model."""
    from evalharness.generation import Settings

    reason = "a server is another program than the model's own code, and gives no access to it"
    work.leak = NotTestable("future_leak", "capability", reason)
    options = work.options
    return Settings(
        options.max_new_tokens or _new_tokens(work), options.batch_size, options.seed, stop_loops=options.stop_loops
    )


def _settings(work: Work, rows: list[list[int]]) -> Settings:
    """What may be done to rows: padded and drafted, or only put beside others of one length, or not even that."""
    from evalharness.generation import TOLERABLE_NATS, Settings, measured_noise

    model, causal = work.checkpoint.model, work.attention == "causal"
    room = max(2, NOISE_LOGITS // (NOISE_ROWS * model.vocabulary_rows))
    few = [row[:room] for row in rows[:NOISE_ROWS]]
    if work.limit is not None:
        few = [row[:SHORT_NOISE_ROW] for row in few[:FEW_NOISE_ROWS]]
    temperature = work.options.temperature
    noise = measured_noise(model, few, padded=causal, temperature=temperature)
    steady, alone = noise.nats <= _tolerable(work, TOLERABLE_NATS), False
    if causal and not steady:
        work.watcher.say(f"padding or the cache moves logits by up to {noise.nats:.2g} nats: running at exact lengths")
        noise = measured_noise(model, few, padded=False, temperature=temperature)
    if noise.nats > _tolerable(work, TOLERABLE_NATS):
        work.watcher.say(f"rows move each other's logits by up to {noise.nats:.2g} nats: running each row alone")
        noise, alone = measured_noise(model, few[:1], padded=False, temperature=temperature), True
    return Settings(
        max_new_tokens=work.options.max_new_tokens or _new_tokens(work),
        batch_size=1 if alone else work.options.batch_size,
        seed=work.options.seed,
        exact_lengths=not (causal and steady),
        stop_loops=work.options.stop_loops,
        noise_nats=noise.nats if _is_precise(work) else 0.0,
        moved_mass=noise.mass,
        most_logits=_most_logits(work),
    )


def _most_logits(work: Work) -> int | None:
    """How many logits a pass that writes completions gives at most; None where free memory is not known."""
    from evalharness.models.torch.free_memory import free_bytes_on

    asked = work.options.pass_memory
    if asked is not None:
        return bytes_of(asked) // BYTES_OF_LOGIT
    free = free_bytes_on(work.checkpoint.model.device)
    return None if free is None else free // SHARE_FOR_LOGITS // BYTES_OF_LOGIT


def _is_precise(work: Work) -> bool:
    """Whether rounding is small enough to be settled by a second pass; in half precision all would need one."""
    return work.checkpoint.dtype in {"float32", "float64"}


def _tolerable(work: Work, nats: float) -> float:
    """How far a batch may move logits; half precision moves them anyway, and only what can't be run at all counts."""
    return nats if _is_precise(work) else LARGEST_FLOAT


def _asked(work: Work, rows: list[list[int]]) -> Outcome:
    from evalharness.diagnosis import future_leak_in_both_modes

    if work.manifest.model.attention == "prefix":
        reason = 'the manifest declares attention = "prefix": tokens of the prompt may see each other'
        return NotTestable("future_leak", "declared", reason)
    try:
        longest = longest_leak_row(work, min(work.checkpoint.context_length or PROBE_LENGTH, PROBE_LENGTH))
        say_attention(work, longest)
        return future_leak_in_both_modes(work.checkpoint.model, rows, work.options.seed, longest)
    except EvaluationError as error:
        return NotTestable("future_leak", "model_failed", str(error))


def _attention(work: Work) -> Attention:
    if leaks_when_evaluated(work.leak):
        return "leaks"
    if isinstance(work.leak, Finding | RuledOut):
        return "causal"
    return "prefix" if work.manifest.model.attention == "prefix" else "not_testable"


def _real_rows(work: Work) -> list[list[int]]:
    """Ids of prompts with their solutions, as far as the vocabulary spells them; made-up ids where it spells none."""
    longest = min(work.checkpoint.context_length or PROBE_LENGTH, PROBE_LENGTH)
    encoded = _encodable(work, [problem.prompt + problem.canonical_solution for problem in work.problems.values()])
    rows = [[*work.checkpoint.begin_token_ids, *ids][:longest] for _, ids in encoded if len(ids) > 1]
    if not rows:
        rows = [[i % work.checkpoint.tokenizer.vocab_size for i in range(1, min(longest, 64) + 1)]]
    return rows[:PROBE_ROWS]


def _new_tokens(work: Work) -> int:
    """Room for ``ROOM_CHARACTERS`` of code in this tokenizer's tokens: 64 to 1,024, a multiple of 64."""
    needed = ROOM_CHARACTERS / (_characters_per_token(work) or ROOM_CHARACTERS / 256)
    return min(work.checkpoint.context_length or 1024, 1024, max(64, 64 * round(needed / 64)))


def _characters_per_token(work: Work) -> float | None:
    """How long this tokenizer's tokens are in code; as the server counts them where it alone has a tokenizer."""
    encoded = _encodable(work, [problem.canonical_solution for problem in work.problems.values()])
    tokens = sum(len(ids) for _, ids in encoded)
    if tokens:
        return sum(len(text) for text, _ in encoded) / tokens
    return None if work.served is None else work.served.handshake.characters_per_token


def _encodable(work: Work, texts: list[str]) -> list[tuple[str, list[int]]]:
    encodable = []
    for text in texts[: 4 * PROBE_ROWS]:
        try:
            encodable.append((text, work.checkpoint.tokenizer.encode(text)))
        except ValueError:
            continue
    return encodable
