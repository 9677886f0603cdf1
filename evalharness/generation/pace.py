"""How fast a model writes on this machine: timed on a batch that is really written, with all that a token costs."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from evalharness.generation.measure import USUAL_TOKENS
from evalharness.progress.time_limit import OutOfTime

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from evalharness.generation.torch_generator import TorchGenerator
    from evalharness.models.requests import Request

TIMED_STEPS = 16
"""Tokens that each row of the timed batch gets."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds to read one prompt, and seconds for one more token of one row, in a batch of the size asked for."""

    prompt_s: float
    token_s: float

    def longest_s(self, prompts: int, rows: int, tokens: int) -> float:
        """Seconds for ``rows`` completions of ``prompts`` if each goes on to ``tokens``."""
        return prompts * self.prompt_s + rows * tokens * self.token_s

    def usual_s(self, prompts: int, rows: int, tokens: int) -> float:
        """Seconds for ``rows`` completions of ``prompts`` of the usual length, at most ``tokens``."""
        return self.longest_s(prompts, rows, min(USUAL_TOKENS, tokens))


def measured_pace(
    generator: TorchGenerator, requests: Sequence[Request], clock: Callable[[], float] = time.perf_counter
) -> Pace:
    """Write the first batch of ``requests`` a little way, without drafts, and return how fast that went.

    Of a trial that runs out of time, what was written until then is counted.
    """
    longest = generator.context_length
    fitting = [r for r in requests if r.prompt_ids and (longest is None or len(r.prompt_ids) < longest)]
    batch = fitting[: generator.settings.batch_size]
    if not batch:
        return Pace(0.0, 0.0)
    begins = _passes(generator, batch, clock)
    ended = begins.pop()
    first_step = begins[1] if len(begins) > 1 else begins[0]
    steps = max(1, len(begins) - 1)
    prompts = len({r.prompt_ids for r in batch})
    return Pace((first_step - begins[0]) / prompts, (ended - first_step) / steps / len(batch))


def _passes(generator: TorchGenerator, batch: Sequence[Request], clock: Callable[[], float]) -> list[float]:
    """When each pass over the batch began, and when the last one was over and its tokens were drawn."""
    short = replace(generator.settings, max_new_tokens=1 + TIMED_STEPS, drafts=False, stop_loops=False)
    own = generator.model.module
    begins = [clock()]
    # Copies of the module have its hooks too: their passes are part of what a step costs, but no steps.
    hook = own.register_forward_pre_hook(lambda module, _: begins.append(clock()) if module is own else None)
    try:
        for _ in replace(generator, settings=short).complete(batch):
            pass
    except OutOfTime:
        pass
    finally:
        hook.remove()
    begins.append(clock())
    return begins[1:] if len(begins) > 2 else begins
