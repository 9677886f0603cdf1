"""What has to be known of a model before it writes: how much batch shapes move its logits, and how long a pass takes."""

from __future__ import annotations

import time
from collections.abc import Sequence

import torch

from evalharness.generation.reference import Reference
from evalharness.generation.request import Request, Settings
from evalharness.interfaces import LanguageModel

MARGIN = 8.0
"""The noise that is seen on a few hundred positions is taken this many times: the largest over a whole run is larger."""
TOLERABLE_NATS = 1e-2
"""Above this a row does not keep its logits in company, and no batch can be trusted to."""


def logit_noise(model: LanguageModel, rows: list[list[int]], *, padded: bool) -> float:
    """How far rounding may move a logit (nats), with company and padding.

    Computes ``rows`` together as they are run and each alone in double precision, and returns the largest difference
    times ``MARGIN``, at least 8 units in the last place of the largest logit. ``padded`` puts all rows into one batch
    with padding behind the shorter ones; without it, for models that would see the padding, all are cut to the shortest.
    """
    if not padded:
        shortest = min(map(len, rows))
        rows = [row[:shortest] for row in rows]
    together = torch.zeros((len(rows), max(map(len, rows))), dtype=torch.long)
    for i, row in enumerate(rows):
        together[i, : len(row)] = torch.tensor(row)
    in_company = model.logits(together.to(model.device))
    reference = Reference(model, None)
    moved = 0.0
    for i, row in enumerate(rows):
        exact = reference.logits(torch.tensor([row], device=model.device))[0]
        moved = max(moved, float((exact - in_company[i, : len(row)]).abs().max()))
    return max(MARGIN * moved, 8 * torch.finfo(in_company.dtype).eps * float(in_company.abs().max()))


def choose_threads(model: LanguageModel, rows: int, length: int) -> int:
    """Set torch to as many threads as run this model fastest now, and return how many.

    A small model on a busy or throttled machine is often many times faster on one thread than on all: threads that wait
    for each other burn the time of those that they wait for. Which tokens are drawn does not depend on it.
    """
    if model.device.type != "cpu":
        return torch.get_num_threads()
    timings = {}
    for threads in sorted({1, torch.get_num_threads()}):
        torch.set_num_threads(threads)
        timings[threads] = _forward_s(model, rows, length)
    best = min(timings, key=lambda threads: timings[threads])
    torch.set_num_threads(best)
    return best


def longest_generation_s(model: LanguageModel, requests: Sequence[Request], settings: Settings) -> float:
    """Seconds that ``requests`` take if none ends early and nothing is guessed right: an upper estimate.

    From the time of one forward pass of a batch of the mean length (of one token, with a cache).
    """
    lengths = [len(r.prompt_ids) for r in requests if r.prompt_ids is not None]
    if not lengths:
        return 0.0
    cached = model.supports_cache and settings.cache and not settings.exact_lengths
    mean_length = round(sum(lengths) / len(lengths) + settings.max_new_tokens / 2)
    length = 1 if cached else min(mean_length, model.context_length or mean_length)
    rows = min(settings.batch_size, len(lengths))
    # Completions of one problem share their passes as long as they agree; the estimate takes it that none do.
    passes = settings.max_new_tokens * len(lengths) / rows
    return passes * _forward_s(model, rows, length)


def _forward_s(model: LanguageModel, rows: int, length: int) -> float:
    ids = torch.zeros((rows, length), dtype=torch.long, device=model.device)
    model.logits(ids)
    taken = []
    for _ in range(2):
        begun = time.perf_counter()
        model.logits(ids)
        taken.append(time.perf_counter() - begun)
    return min(taken)
