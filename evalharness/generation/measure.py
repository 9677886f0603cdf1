"""What has to be known of a model before it writes: how far a batch moves its logits, and how long a pass takes."""

from __future__ import annotations

import contextlib
import math
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from evalharness.errors import EvaluationError
from evalharness.generation.inverse_cdf import MovedMass, moved_mass
from evalharness.generation.padding import padded_right
from evalharness.generation.reference import Reference

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from evalharness.generation.prompting import Settings
    from evalharness.models.protocols import TorchModel
    from evalharness.models.requests import Request

MARGIN = 8.0
"""What is seen on a few hundred positions is taken this many times: the largest of a whole run is larger."""
CACHE_STEPS = 4
USUAL_TOKENS = 96
"""Mean length of HumanEval's own solutions, at two characters a token as small vocabularies have."""
TOKENS_A_PASS = 3
"""What drafts settle in one pass on text that does not loop (``benchmarks/generation.py``: 1.7 to 3.9)."""
TIMED_TOKENS = 64
"""Tokens of a prompt by which it is timed how long prompts take to read."""
TIMED_PASSES, SLOW_S = 3, 1.0
LARGE_S = 0.05
"""A model that takes this long for one row computes enough in it to tell which number of threads is fastest."""
TOLERABLE_NATS = 1e-2
"""Above this a row does not keep its logits in company: the model runs at exact lengths."""


@dataclass(frozen=True, slots=True)
class MeasuredNoise:
    """How far rounding may move a logit (nats), and a cumulative probability."""

    nats: float
    mass: MovedMass


def logit_noise(model: TorchModel, rows: list[list[int]], *, padded: bool) -> float:
    """How far rounding may move a logit (nats): that of :func:`measured_noise`."""
    return measured_noise(model, rows, padded=padded).nats


def measured_noise(
    model: TorchModel, rows: list[list[int]], *, padded: bool, temperature: float = 1.0
) -> MeasuredNoise:
    """How far rounding may move a logit, and a cumulative probability, with company, padding and cache.

    Computes ``rows`` together as they are run and each alone in double precision, and returns the largest difference
    times ``MARGIN``, at least 8 units in the last place of the largest logit. ``padded`` puts all rows into one batch
    with padding behind the shorter ones, and where the model has a cache reads their last tokens one by one; without
    it, for models that would see the padding, all are cut to the shortest. Infinite where the cache can't be used.
    """
    if not padded:
        shortest = min(map(len, rows))
        rows = [row[:shortest] for row in rows]
    reference = Reference(model, None)
    exact = [reference.logits(torch.tensor([row], device=model.device))[0] for row in rows]
    ways: list[list[torch.Tensor] | None] = [_together(model, rows)]
    if padded and model.supports_cache:
        ways.append(_with_cache(model, rows))
    moved = moved_most = largest = 0.0
    for way in ways:
        if way is None:
            return MeasuredNoise(math.inf, MovedMass(temperature, 1.0))
        for seen, known in zip(way, exact, strict=True):
            # An id that the model itself holds out has -infinity both times.
            moved = max(moved, float(torch.where(seen == known, 0.0, (seen - known).abs()).max()))
            if not bool(seen.isfinite().any()):
                raise EvaluationError("the model returns NaN or infinity for every token")
            largest = max(largest, float(seen[seen.isfinite()].abs().max()))
            moved_most = max(moved_most, moved_mass(seen, known, temperature))
    eps = torch.finfo(torch.float32).eps
    mass = MovedMass(temperature, max(MARGIN * moved_most, 8 * eps))
    return MeasuredNoise(max(MARGIN * moved, 8 * eps * largest), mass)


def _together(model: TorchModel, rows: list[list[int]]) -> list[torch.Tensor]:
    ids, _ = padded_right(rows)
    logits = model.logits(ids.to(model.device))
    return [logits[i, : len(row)] for i, row in enumerate(rows)]


def _with_cache(model: TorchModel, rows: list[list[int]]) -> list[torch.Tensor] | None:
    """The logits of each row, its last tokens read one by one after a batch of what is before them."""
    steps = min(CACHE_STEPS, min(map(len, rows)) - 1)
    ids, mask = (part.to(model.device) for part in padded_right([row[: len(row) - steps] for row in rows]))
    positions = torch.arange(ids.shape[1], device=model.device).expand(len(rows), -1)
    output, cache = model.cached_logits(ids, mask, positions, None)
    if not hasattr(cache, "batch_select_indices"):
        return None
    parts = [[output[i, : len(row) - steps]] for i, row in enumerate(rows)]
    for left in range(steps, 0, -1):
        mask = torch.cat((mask, mask.new_ones((len(rows), 1))), dim=1)
        ids = torch.tensor([[row[-left]] for row in rows], device=model.device)
        positions = torch.tensor([[len(row) - left] for row in rows], device=model.device)
        output, cache = model.cached_logits(ids, mask, positions, cache)
        for i, part in enumerate(parts):
            part.append(output[i])
    return [torch.cat(part) for part in parts]


@contextlib.contextmanager
def fastest_threads(model: TorchModel) -> Iterator[None]:
    """Run torch on as many threads as are fastest for ``model`` now; the caller's own setting comes back afterwards."""
    if "module" not in model.capabilities:
        yield
        return
    before = torch.get_num_threads()
    try:
        choose_threads(model, rows=8, length=min(64, model.context_length or 64))
        yield
    finally:
        torch.set_num_threads(before)


def choose_threads(model: TorchModel, rows: int, length: int) -> int:
    """Set torch to as many threads as run this model fastest now, and return how many.

    A small model on a busy or throttled machine is often many times faster on one thread than on all: threads that wait
    for each other burn the time of those that they wait for. Which tokens are drawn does not depend on it. A large
    model is timed on one row instead of ``rows``.
    """
    if model.device.type != "cpu":
        return torch.get_num_threads()
    candidates = sorted({1, torch.get_num_threads()})
    if len(candidates) == 1:
        return candidates[0]
    rows = 1 if pass_s(model, 1, length) >= LARGE_S else rows
    timings = {}
    for threads in candidates:
        torch.set_num_threads(threads)
        timings[threads] = pass_s(model, rows, length)
    best = min(timings, key=lambda threads: timings[threads])
    torch.set_num_threads(best)
    return best


def generation_s(model: TorchModel, requests: Sequence[Request], settings: Settings) -> float:
    """Seconds that ``requests`` take with completions of ``USUAL_TOKENS``: what can be said before any is written.

    From the time of one forward pass of a batch, and with a cache of one prompt. Of the completions of one problem half
    are taken to go ways of their own; the others share their passes.
    """
    prompts = Counter(r.prompt_ids for r in requests if r.prompt_ids is not None)
    if not prompts:
        return 0.0
    tokens = min(USUAL_TOKENS, settings.max_new_tokens)
    rows = sum((1 + n) / 2 for n in prompts.values())
    cached = model.supports_cache and settings.cache and not settings.exact_lengths
    mean_length = round(sum(map(len, prompts)) / len(prompts) + tokens / 2)
    length = 1 if cached else min(mean_length, model.context_length or mean_length)
    batch = min(settings.batch_size, math.ceil(rows))
    is_drafted = settings.drafts and not settings.exact_lengths and not cached
    tokens_a_pass = TOKENS_A_PASS if is_drafted else 1
    writing_s = tokens * rows / batch / tokens_a_pass * pass_s(model, batch, length)
    if not cached:
        return writing_s
    few = min(TIMED_TOKENS, mean_length)
    return writing_s + sum(map(len, prompts)) / few * pass_s(model, 1, few)


def pass_s(model: TorchModel, rows: int, length: int, clock: Callable[[], float] = time.perf_counter) -> float:
    """Seconds of a pass over ``rows`` of ``length`` ids: of the fastest of three.

    A slow first one is not repeated, for starting up is little of it.
    """
    ids = torch.zeros((rows, length), dtype=torch.long, device=model.device)
    taken: list[float] = []
    while len(taken) < TIMED_PASSES and sum(taken) < SLOW_S:
        begun = clock()
        model.logits(ids)
        taken.append(clock() - begun)
    return min(taken)
