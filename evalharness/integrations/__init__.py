"""Where training happens: preflight before the first step, and scores beside it while it goes on.

In a Hugging Face trainer::

    trainer.add_callback(EvalHarnessCallback(trainer, problems="warmup"))

In a loop of one's own, whose checkpoints are scored in a process beside it::

    beside = Beside(problems="warmup")           # before the loop
    for card in beside.saved("runs/step_500.pt"): print(card.verdict)    # after each save: what is finished by now
    for card in beside.wait(): print(card.verdict)                       # at the end: the last ones
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from evalharness.integrations.beside import Beside

if TYPE_CHECKING:
    from evalharness.integrations.huggingface import EvalHarnessCallback

__all__ = ["Beside", "EvalHarnessCallback"]


def __getattr__(name: str) -> Any:
    if name == "EvalHarnessCallback":  # transformers takes seconds to import, and a plain loop has no use for it
        return importlib.import_module("evalharness.integrations.huggingface").EvalHarnessCallback
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
