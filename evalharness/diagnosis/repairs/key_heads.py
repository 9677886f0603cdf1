"""Attention with fewer heads of keys than of queries, where each serves other queries than in training.

Each may be repeated for the queries beside each other (0, 0, 1, 1), or all of them one after another (0, 1, 0, 1).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from evalharness.diagnosis.repair import Repair
from evalharness.diagnosis.trials.head_shapes import head_shapes
from evalharness.diagnosis.trials.swapping import changed_inputs_and_outputs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalharness.diagnosis.subject import Subject


@dataclass(frozen=True, slots=True)
class Projections:
    """The paths of one attention's projections, to queries and from what was mixed, and its heads of both kinds."""

    query: str
    mixed: str
    heads: int
    key_heads: int


def repairs(subject: Subject) -> Iterator[Repair]:
    """Both ways: the heads of queries are moved to the keys that they had in training."""
    module = subject.torch_model.module
    widths = {shape.width for shape in head_shapes(module)}
    grouped = [found for path, part in module.named_modules() for found in _grouped(path, part, widths)]
    if not grouped:
        return
    yield _moved(grouped, beside=True)
    if any(each.heads != each.key_heads**2 for each in grouped):  # else both ways are the same
        yield _moved(grouped, beside=False)


def _moved(grouped: list[Projections], *, beside: bool) -> Repair:
    first = grouped[0]
    place = first.query.rpartition(".")[0]
    return Repair(
        kind="key_heads",
        words=f"the heads of keys and values in `{place}` repeated for those of queries in the other order",
        place=place,
        remedy=(
            f"Repeat the {first.key_heads} heads of keys and values for the {first.heads} of queries as in training: "
            "each beside itself (repeat_interleave), or all of them one after another (repeat, tile). The code does "
            "the other of the two."
        ),
        all_or_nothing=True,
        change=partial(_changed, grouped=grouped, beside=beside),
        sharp=True,
    )


def _changed(module: nn.Module, grouped: list[Projections], *, beside: bool) -> Any:
    """Heads of queries move, and what is mixed for them moves back."""
    outputs, inputs = {}, {}
    for each in grouped:
        order = _order(each.heads, each.key_heads, beside=beside)
        outputs[each.query] = partial(_heads_taken, order=order)
        inputs[each.mixed] = partial(_heads_taken, order=order.argsort())
    return changed_inputs_and_outputs(module, inputs, outputs)


def _order(heads: int, key_heads: int, *, beside: bool) -> Tensor:
    """Which head of queries stands in each place, so that the code gives it the keys that it had: ``(heads,)``."""
    numbers = torch.arange(heads)
    return numbers.view(key_heads, -1).T.flatten() if beside else numbers.view(-1, key_heads).T.flatten()


def _heads_taken(given: Tensor, order: Tensor) -> Tensor:
    by_head = given.view(*given.shape[:-1], len(order), -1)
    return by_head[..., order.to(given.device), :].flatten(-2)


def _grouped(path: str, part: nn.Module, widths: set[int]) -> Iterator[Projections]:
    """The projections of an attention: two narrow ones, one to queries before them, and one of what is mixed."""
    linear = [(name, *_size(child)) for name, child in part.named_children() if isinstance(child, nn.Linear)]
    for name, inputs, outputs in linear:
        narrow = [n for n, i, o in linear if i == inputs and o < outputs and outputs % o == 0]
        mixed = [n for n, i, _ in linear if i == outputs and n != name and n not in narrow]
        for width in widths if len(narrow) == 2 and mixed and "q" in name.lower() else ():
            keys = next(o for n, _, o in linear if n == narrow[0])
            if keys % width == outputs % width == 0 and 1 < keys // width < outputs // width:
                query, last = (f"{path}.{own}".lstrip(".") for own in (name, mixed[-1]))
                yield Projections(query, last, outputs // width, keys // width)


def _size(projection: nn.Linear) -> tuple[int, int]:
    return projection.weight.shape[1], projection.weight.shape[0]
