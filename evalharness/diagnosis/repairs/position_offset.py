"""Learned positions that are counted from another number than in training.

Code of the fairseq family begins behind the id of the padding, at 2 for OPT; a rewrite begins at 0, or at 1.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import nn

from evalharness.diagnosis.repair import Repair
from evalharness.diagnosis.trials.swapping import swapped_tensors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from evalharness.diagnosis.subject import Subject

OFFSETS = (1, 2, -1, -2)


def repairs(subject: Subject) -> Iterator[Repair]:
    """Every position with the row of one or two places further on, or further back."""
    model = subject.torch_model
    for path, part in model.module.named_modules():
        if isinstance(part, nn.Embedding) and _is_of_positions(path, part, model.vocabulary_rows):
            for offset in OFFSETS:
                yield _with_offset(f"{path}.weight", part.weight.detach(), offset)


def _with_offset(path: str, weight: Tensor, offset: int) -> Repair:
    rows = (torch.arange(len(weight)) + offset).clamp(0, len(weight) - 1).to(weight.device)
    return Repair(
        kind="position_offset",
        words=f"positions counted {abs(offset)} {'further' if offset > 0 else 'less'} in `{path}`",
        place=path,
        remedy=(
            f"Look up position p in row p {'+' if offset > 0 else '-'} {abs(offset)} of what the code takes now "
            f"(`{path}`), as in training, or cut the rows where the checkpoint is converted."
        ),
        all_or_nothing=True,
        change=partial(swapped_tensors, tensors={path: weight[rows]}),
        sharp=True,
    )


def _is_of_positions(path: str, part: nn.Embedding, vocabulary: int) -> bool:
    name = path.rpartition(".")[2].lower()
    return part.num_embeddings != vocabulary and any(known in name for known in ("pos", "place", "wpe"))
