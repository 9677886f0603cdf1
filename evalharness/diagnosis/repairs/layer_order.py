"""Layers in another order than in training: they have the same shapes, so that each fits in every place."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from torch import nn

from evalharness.diagnosis.repair import Repair
from evalharness.diagnosis.trials.swapping import swapped_attributes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalharness.diagnosis.subject import Subject

Order = tuple[int, ...]
"""Which of the layers that are loaded stands in each place."""


def repairs(subject: Subject) -> Iterator[Repair]:
    """Numbers sorted as words, the other way round, and the orders that pipelines of two stages leave."""
    for path, part in subject.torch_model.module.named_modules():
        if isinstance(part, nn.ModuleList) and _are_alike(part):
            seen = [tuple(range(len(part)))]
            for order, words in _orders(len(part)):
                if order not in seen:
                    seen.append(order)
                    yield _in_order(path, part, order, words)


def _in_order(path: str, layers: nn.ModuleList, order: Order, words: str) -> Repair:
    return Repair(
        kind="layer_order",
        words=f"the {len(layers)} layers of `{path}` {words}",
        place=path,
        remedy=(
            f"Put the layers of `{path}` in the order of training, where the checkpoint is converted or loaded: "
            f"the one that is loaded as {order[1]} comes second. Sort their names by the number in them."
        ),
        all_or_nothing=True,
        change=partial(
            swapped_attributes, values={f"{path}.{place}".lstrip("."): layers[i] for place, i in enumerate(order)}
        ),
        sharp=True,
    )


def _are_alike(layers: nn.ModuleList) -> bool:
    """Whether the layers have weights of the same names and shapes."""
    shapes = [{name: tensor.shape for name, tensor in layer.state_dict().items()} for layer in layers]
    return len(shapes) > 1 and bool(shapes[0]) and all(shape == shapes[0] for shape in shapes)


def _orders(count: int) -> Iterator[tuple[Order, str]]:
    numbers = tuple(range(count))
    as_words = tuple(sorted(numbers, key=str))
    yield _undone(as_words), "sorted by number, which were sorted as words (0, 1, 10, 11, 2)"
    yield as_words, "sorted as words (0, 1, 10, 11, 2)"
    yield numbers[::-1], "the other way round"
    yield numbers[count // 2 :] + numbers[: count // 2], "with the second half first"
    in_turns = numbers[::2] + numbers[1::2]
    yield in_turns, "each second one first"
    yield _undone(in_turns), "of both halves in turn"


def _undone(order: Order) -> Order:
    """The order that puts layers back which were put into ``order``."""
    return tuple(order.index(place) for place in range(len(order)))
