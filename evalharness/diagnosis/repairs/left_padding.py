"""Learned positions that count the padding: rows padded on the left in training, without positions of their own."""

from __future__ import annotations

import inspect
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from evalharness.diagnosis.losses.counted_losses import rows_with_end
from evalharness.diagnosis.losses.padding_candidates import padding_ids
from evalharness.diagnosis.losses.parallel_passes import ParallelPasses
from evalharness.diagnosis.repair import Repair

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalharness.diagnosis.subject import Subject

FEW = 8
"""Rows after which it is looked for what the padding may be."""
LENGTHS = (64, 128, 256, 512, 1024, 2048)
"""Lengths that rows are padded to as a rule, beside the longest row and the context."""


def repairs(subject: Subject) -> Iterator[Repair]:
    """Only for embeddings that are given the places of a row, counted from 0."""
    split = subject.validation or subject.train
    if split is None or not split.encoded:
        return
    rows = rows_with_end(subject, split)
    paths = _of_positions(subject, rows[0].ids)
    if not paths:
        return
    module = subject.torch_model.module
    places = min(_embedding(module, path).num_embeddings for path in paths)
    longest = max(len(row.ids) for row in rows)
    passes = ParallelPasses(subject.torch_model, tuple(sorted(subject.end_ids)), is_causal=False)
    pad = padding_ids(subject, rows[:FEW], passes)[0].token_id
    for length in sorted({longest, -(-longest // 8) * 8, *LENGTHS, subject.model.context_length or longest}):
        if longest <= length <= places:
            yield Repair(
                kind="left_padding",
                words=f"rows padded to {length} on the left, the padding counted as positions",
                place=paths[0],
                remedy=(
                    "In training give the model position_ids made from the attention mask, or pad on the right. This "
                    f"checkpoint expects a prompt to end at position {length}, not to begin at 0."
                ),
                change=partial(_moved, paths=paths, length=length),
                begin_ids=(pad,),
            )


def _embedding(module: nn.Module, path: str) -> nn.Embedding:
    part: Any = module.get_submodule(path)
    embedding: nn.Embedding = part
    return embedding


def _of_positions(subject: Subject, ids: tuple[int, ...]) -> tuple[str, ...]:
    """The embeddings that are given 0, 1, 2, … while the model reads a row."""
    module, paths = subject.torch_model.module, []
    inputs = torch.tensor([ids], device=subject.torch_model.device)

    def note(path: str, _part: nn.Module, given: tuple[Any, ...]) -> None:
        if given and isinstance(given[0], Tensor) and given[0].numel() == inputs.numel():
            values = given[0].reshape(-1)
            if torch.equal(values - values[0], torch.arange(len(values), device=values.device)):
                paths.append(path)

    with ExitStack() as stack:
        for path, part in module.named_modules():
            if isinstance(part, nn.Embedding):
                stack.callback(part.register_forward_pre_hook(partial(note, path)).remove)
        subject.torch_model.logits(inputs)
    return tuple(dict.fromkeys(paths))


@contextmanager
def _moved(module: nn.Module, paths: tuple[str, ...], length: int) -> Iterator[None]:
    """A row of n ids, one of padding among them, is read without its last: it begins at ``length - n``.

    One id of padding stands for all of it: nothing sees it if the module takes a mask, and the first of the row is
    predicted from it, as it is in training.
    """

    def move(_part: nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...]:
        return given[0] + (length - given[0].shape[-1] - 1), *given[1:]

    def hide(_module: nn.Module, given: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, Any]:
        ids: Tensor = named["input_ids"] if "input_ids" in named else given[0]
        mask = torch.ones_like(ids)
        mask[:, 0] = 0
        return given, {**named, "attention_mask": mask}

    with ExitStack() as stack:
        if "attention_mask" in inspect.signature(module.forward).parameters:
            stack.callback(module.register_forward_pre_hook(hide, with_kwargs=True).remove)
        for path in paths:
            stack.callback(module.get_submodule(path).register_forward_pre_hook(move).remove)
        yield
