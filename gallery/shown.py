"""What the program of a case prints of its fault: a loss, or a share, with the fault and without it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import torch
from batches import IGNORED, Batch, in_order, padded
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from small_tokenizer import Encoded
    from torch import Tensor, nn
    from training_loop import Logits


def logits_of(module: nn.Module, batch: Batch) -> Tensor:
    """The logits of a module of one's own, or of a model of transformers."""
    made = module(batch.inputs)
    logits: Tensor = getattr(made, "logits", made)
    return logits


@torch.no_grad()
def loss_of(
    module: nn.Module,
    rows: Sequence[Encoded],
    *,
    batch: Callable[[Sequence[Encoded]], Batch] = padded,
    logits: Logits = logits_of,
) -> float:
    """Nats per counted token of all rows, in evaluation mode."""
    module.eval()
    made = [batch(some) for some in in_order(rows)]
    sums = [
        functional.cross_entropy(
            logits(module, one).float().flatten(0, 1), one.targets.flatten(), ignore_index=IGNORED, reduction="sum"
        )
        for one in made
    ]
    return float(sum(sums)) / max(1, sum(one.counted for one in made))


def show(**figures: float) -> None:
    """One line: each figure with its name."""
    sys.stdout.write("  ".join(f"{name.replace('_', ' ')}: {value:.4g}" for name, value in figures.items()) + "\n")
