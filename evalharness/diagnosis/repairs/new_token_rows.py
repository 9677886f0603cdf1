"""Embedding rows of tokens that an adapter's training added, and that were not saved with it: fitted anew."""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

from evalharness.diagnosis.repair import Repair
from evalharness.diagnosis.trials.fitted_rows import affordable, fitted_rows
from evalharness.diagnosis.trials.random_change import random_order
from evalharness.diagnosis.trials.swapping import swapped_tensors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from evalharness.diagnosis.subject import Subject

OFTEN = 0.1
"""A token that matters for the loss stands in a tenth of the rows or more."""
MOST = 32
"""A training that adds tokens adds a few, for turns and tools."""
FEW = 0.2
"""If more of the tokens than this look as if no training had touched them, looking so means nothing."""
ROOM = 1.1
"""A row that no training touched has about the norm and the direction of those that no token has."""


def repairs(subject: Subject) -> Iterator[Repair]:
    """Only over a base with spare rows: new tokens then take rows that no training has touched, and nothing fails."""
    split = subject.train
    if subject.without_adapter is None or split is None or not subject.held_out_ids or not affordable(subject):
        return
    model = subject.torch_model
    paths = _embedding_paths(model.module, model.vocabulary_rows)
    ids = _untouched(subject, model.module.get_parameter(paths[0])) if paths else ()
    if not ids:
        return
    words = ", ".join(repr(subject.tokenizer.decode([i])) for i in ids[:3]) + ", …" * (len(ids) > 3)

    def of(chosen: tuple[int, ...]) -> Repair:
        tensor = cache(partial(fitted_rows, subject, paths, chosen))

        return Repair(
            kind="new_token_rows",
            words=f"the {len(chosen)} embedding rows of {words} fitted anew on training rows",
            place=paths[0],
            remedy=(
                f"Save the embedding with the adapter: the rows of {words} were trained and are lost. With PEFT name "
                "it in modules_to_save, or in trainable_token_indices, or save with save_embedding_layers=True."
            ),
            change=lambda module: swapped_tensors(module, dict.fromkeys(paths, tensor())),
            null=lambda seed: of(_as_many_others(subject, ids, seed)),
        )

    yield of(ids)


def _embedding_paths(module: nn.Module, rows: int) -> list[str]:
    """The embedding's weight by every name that it has: a tied head is the same one."""
    embeddings = (p for p in module.modules() if isinstance(p, nn.Embedding) and p.num_embeddings >= rows)
    embedding = next(embeddings, None)
    named = module.named_parameters(remove_duplicate=False)
    return [] if embedding is None else [name for name, tensor in named if tensor is embedding.weight]


def _untouched(subject: Subject, weight: Tensor) -> tuple[int, ...]:
    """Tokens of many rows whose embedding is like the rows without a token, as those of few other tokens are."""
    rows = weight.detach().float().cpu()
    spare = rows[list(subject.held_out_ids)]
    often = _often(subject)
    last = sorted(set(often) & set(_last_tokens(subject)))
    of_spare = _likeness(spare, spare)
    low, high = of_spare.amin(dim=0) / ROOM, of_spare.amax(dim=0) * ROOM
    likeness = _likeness(rows[last], spare)
    alike = ((likeness >= low) & (likeness <= high)).all(dim=1)
    untouched = tuple(i for i, is_alike in zip(last, alike.tolist(), strict=True) if is_alike)
    return untouched if len(untouched) <= FEW * len(often) else ()


def _last_tokens(subject: Subject) -> list[int]:
    """Where tokens that training added stand: behind all others. What is rare among the others is not new."""
    without = set(subject.held_out_ids)
    return [i for i in range(subject.torch_model.vocabulary_rows) if i not in without][-MOST:]


def _likeness(rows: Tensor, spare: Tensor) -> Tensor:
    """``(rows, 2)``: the norm, and the cosine with the mean of the spare rows, which training pushed one way."""
    mean = spare.mean(dim=0)
    return torch.stack([rows.norm(dim=1), functional.cosine_similarity(rows, mean[None])], dim=1)


def _often(subject: Subject) -> list[int]:
    rows = [set(row.ids) for row in subject.train.encoded] if subject.train is not None else []
    counts: dict[int, int] = {}
    for row in rows:
        for token_id in row:
            counts[token_id] = counts.get(token_id, 0) + 1
    return sorted(token_id for token_id, count in counts.items() if count >= OFTEN * len(rows))


def _as_many_others(subject: Subject, ids: tuple[int, ...], seed: int) -> tuple[int, ...]:
    others = [i for i in _often(subject) if i not in ids]
    drawn = random_order(len(others), seed)
    return tuple(others[int(i)] for i in drawn[: len(ids)])
