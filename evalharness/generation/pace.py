"""How fast a model writes on this machine: timed on a batch that is really written, with all that a token costs."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from evalharness.generation.measure import USUAL_TOKENS, pass_s
from evalharness.progress.time_limit import OutOfTime

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from evalharness.generation.torch_generator import TorchGenerator
    from evalharness.models.requests import Request

TIMED_STEPS = 16
"""Tokens that each row of the timed batch gets."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds to read one prompt, and for one more token: of a step, whatever its rows, and of each row in it.

    A step reads all weights once, so that a large model writes ten rows in little more time than one. ``batch_size`` is
    how many rows a step has at most.
    """

    prompt_s: float
    step_s: float
    token_s: float
    batch_size: int

    def longest_s(self, prompts: int, rows: int, tokens: int) -> float:
        """Seconds for ``rows`` completions of ``prompts`` if each goes on to ``tokens``."""
        steps = tokens * math.ceil(rows / self.batch_size)
        return prompts * self.prompt_s + steps * self.step_s + rows * tokens * self.token_s

    def usual_s(self, prompts: int, rows: int, tokens: int) -> float:
        """Seconds for ``rows`` completions of ``prompts`` of the usual length, at most ``tokens``."""
        return self.longest_s(prompts, rows, min(USUAL_TOKENS, tokens))


def measured_pace(
    generator: TorchGenerator, requests: Sequence[Request], clock: Callable[[], float] = time.perf_counter
) -> Pace:
    """Write the first batch of ``requests`` a little way, without drafts, and return how fast that went.

    What a step costs whatever its rows is a pass over one id of one row, as far as the batch's own steps take so long.
    Of a trial that runs out of time, what was written until then is counted.
    """
    longest = generator.context_length
    fitting = [r for r in requests if r.prompt_ids and (longest is None or len(r.prompt_ids) < longest)]
    batch_size = generator.settings.batch_size
    batch = fitting[:batch_size]
    if not batch:
        return Pace(0.0, 0.0, 0.0, batch_size)
    one_row_s = _one_row_s(generator, clock)
    begins = _passes(generator, batch, clock)
    ended = begins.pop()
    first_step = begins[1] if len(begins) > 1 else begins[0]
    batch_step_s = (ended - first_step) / max(1, len(begins) - 1)
    # One row alone does not show what a second one costs: it is taken to cost the same again.
    step_s = 0.0 if len(batch) == 1 else min(batch_step_s, one_row_s)
    prompts = len({r.prompt_ids for r in batch})
    return Pace((first_step - begins[0]) / prompts, step_s, (batch_step_s - step_s) / len(batch), batch_size)


def _one_row_s(generator: TorchGenerator, clock: Callable[[], float]) -> float:
    """Seconds of a pass over one id; 0 where there is no time for it."""
    try:
        return pass_s(generator.model, 1, 1, clock)
    except OutOfTime:
        return 0.0


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
