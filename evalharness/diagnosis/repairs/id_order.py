"""Ids in another order than in training: a vocabulary that was made anew, of a set or of other data."""

from __future__ import annotations

from contextlib import contextmanager
from functools import cache, partial
from typing import TYPE_CHECKING

import torch
from torch import nn

from evalharness.diagnosis.data.spread import evenly
from evalharness.diagnosis.losses.counted_losses import COUNTINGS, counted_losses, figure
from evalharness.diagnosis.repair import Repair
from evalharness.diagnosis.trials.id_matching import bigram_counts, matched, refined, written
from evalharness.diagnosis.trials.swapping import swapped_tensors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor

    from evalharness.diagnosis.subject import Split, Subject

FEW = 8
"""Rows that tell whether the model knows less than how frequent each id is."""
MOST_IDS = 200
"""Characters or bytes: each id must be seen often, and with more a tokenizer is a file, whose order stays."""
LENGTH, ROWS = 96, 400
"""Ids that are written after each id, and training rows that are counted."""
REFINED = 48
"""Training rows that the model reads again to place the rare ids."""


def repairs(subject: Subject) -> Iterator[Repair]:
    """One repair: the order under which what the model writes by itself is most like the training rows."""
    model, split = subject.torch_model, subject.train or subject.validation
    paths = _paths(model.module, model.vocabulary_rows)
    if split is None or not paths or model.vocabulary_rows > MOST_IDS:
        return
    if not _knows_less_than_frequencies(subject, split):
        return
    size = model.vocabulary_rows
    length = min(LENGTH, model.context_length or LENGTH)

    @cache
    def order() -> Tensor:
        counts = bigram_counts((row.ids for row in evenly(split.encoded, ROWS)), size)
        wanted = bigram_counts((row[length // 4 :] for row in written(model, size, length, subject.seed)), size)
        rows = [row.ids for row in evenly(split.encoded, REFINED)]
        return torch.from_numpy(refined(model, rows, matched(counts, wanted)))

    yield Repair(
        kind="id_order",
        words="the ids in another order, that of what the model writes",
        place="[model] tokenizer",
        remedy=(
            "Save the tokenizer with the checkpoint and load it: its ids stand in another order than in training. An "
            "order made of a set of characters is another one in each process; sort it."
        ),
        change=partial(_reordered, paths=paths, order=order),
        sharp=True,
    )


def _knows_less_than_frequencies(subject: Subject, split: Split) -> bool:
    """Whether the loss is above the entropy of the ids by themselves, which no training leaves a model at."""
    rows = evenly(split.encoded, ROWS)
    counts = torch.bincount(torch.tensor([i for row in rows for i in row.ids])).double()
    shares = counts[counts > 0] / counts.sum()
    losses = counted_losses(subject.torch_model, rows[:FEW], subject.end_ids)
    loss = figure(losses, COUNTINGS[0], subject.seed)
    return loss is not None and loss.estimate > float(-(shares * shares.log()).sum())


def _paths(module: nn.Module, rows: int) -> tuple[str, ...]:
    """The tensors with a row for each id, embedding, head and its bias, of modules that are made for ids."""
    return tuple(
        f"{path}.{name}"
        for path, part in module.named_modules()
        if (isinstance(part, nn.Embedding) and part.num_embeddings == rows)
        or (isinstance(part, nn.Linear) and part.out_features == rows)
        for name, tensor in part.named_parameters(recurse=False)
        if len(tensor) == rows
    )


@contextmanager
def _reordered(module: nn.Module, paths: tuple[str, ...], order: Callable[[], Tensor]) -> Iterator[None]:
    """The row of each id of the tokenizer is then that of the id which meant the same in training."""
    tensors = {path: module.get_parameter(path).detach()[order()] for path in paths}
    with swapped_tensors(module, tensors):
        yield
