"""The head tied to the embedding, or the embedding to the head, if two matrices of one shape stand there apart."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from torch import nn

from evalharness.diagnosis.repair import Repair
from evalharness.diagnosis.trials.swapping import swapped_tensors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalharness.diagnosis.subject import Subject


def repairs(subject: Subject) -> Iterator[Repair]:
    """Both ways: which of the two was trained is not known."""
    model = subject.torch_model
    modules = dict(model.module.named_modules())
    for embedding_path, embedding in modules.items():
        for head_path, head in modules.items():
            if not _is_pair(embedding, head, model.vocabulary_rows):
                continue
            for path, source, tensor in (
                (f"{head_path}.weight", f"{embedding_path}.weight", embedding.weight),
                (f"{embedding_path}.weight", f"{head_path}.weight", head.weight),
            ):
                yield Repair(
                    kind="tied_head",
                    words=f"`{path}` tied to `{source}`",
                    place=path,
                    remedy=f"Tie `{path}` to `{source}` where the model is built, as in training.",
                    change=partial(swapped_tensors, tensors={path: tensor}),
                    settings={"tie_word_embeddings": True},
                    present={"tie_word_embeddings": False},
                    sharp=True,
                )


def _is_pair(embedding: nn.Module, head: nn.Module, rows: int) -> bool:
    return (
        isinstance(embedding, nn.Embedding)
        and isinstance(head, nn.Linear)
        and embedding.weight.shape == head.weight.shape
        and len(head.weight) == rows
        and embedding.weight is not head.weight
    )
