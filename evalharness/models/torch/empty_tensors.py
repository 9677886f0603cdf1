"""Tensors without elements where weights should be, as DeepSpeed ZeRO-3 leaves them on each process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalharness.models.torch.error_text import some

if TYPE_CHECKING:
    from collections.abc import Iterable


def not_gathered(names: Iterable[str]) -> str:
    """What is wrong with a file that holds these empty tensors, and what to do."""
    return (
        f"the file holds empty tensors: {some(names)}; expected the weights. DeepSpeed ZeRO stage 3 leaves such "
        "tensors if weights are saved without gathering them. Save again with gathered weights "
        "(stage3_gather_16bit_weights_on_model_save = true, or deepspeed.zero.GatheredParameters), or make them from "
        "the saved training state with zero_to_fp32.py"
    )
