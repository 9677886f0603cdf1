"""A fused projection to queries, keys and values whose rows stand in another order than the code takes them in."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from evalharness.diagnosis.repair import Repair
from evalharness.diagnosis.trials.head_shapes import head_shapes
from evalharness.diagnosis.trials.random_change import random_order
from evalharness.diagnosis.trials.swapping import changed_outputs, swapped_tensors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalharness.diagnosis.subject import Subject
    from evalharness.diagnosis.trials.head_shapes import HeadShape

NAMES = ("qkv", "kqv", "query_key_value", "c_attn", "w_pack", "in_proj", "attn_in")
"""In lower case, what is in the names of such projections."""
USUAL_COUNTS = (2, 4, 6, 8, 12, 16, 32)
"""Heads that are tried where nothing names their number."""


@dataclass(frozen=True, slots=True)
class Order:
    """``rows`` ``(outputs,)``: which row of the checkpoint stands in each place of the code's order."""

    rows: Tensor
    here: str
    there: str


def repairs(subject: Subject) -> Iterator[Repair]:
    """Head by head, parts by part, and channel by channel; keys, queries and values exchanged."""
    module = subject.torch_model.module
    paths = _fused(module)
    outputs = {_outputs(module.get_submodule(path)) for path in paths}
    if len(outputs) != 1:
        return
    size = outputs.pop()
    seen = [torch.arange(size)]
    for order in _orders(size, head_shapes(module)):
        if not any(torch.equal(order.rows, rows) for rows in seen):
            seen.append(order.rows)
            yield _reordered(paths, order)


def _reordered(paths: tuple[str, ...], order: Order) -> Repair:
    def null(seed: int) -> Repair:
        drawn = random_order(len(order.rows), seed)
        return _reordered(paths, Order(drawn, order.here, "at random"))

    return Repair(
        kind="fused_rows",
        words=f"the rows of `{paths[0]}`, which are {order.here}, taken {order.there}",
        place=paths[0],
        remedy=(
            f"Permute the rows of the fused projections' weights and biases (`{paths[0]}` is the first of "
            f"{len(paths)}): the checkpoint has them {order.here}, and the code takes them {order.there}."
        ),
        change=partial(_taken, paths=paths, rows=order.rows),
        sharp=True,
        null=null,
    )


def _orders(outputs: int, shapes: list[HeadShape]) -> Iterator[Order]:
    """Both ways between every two layouts that are in use."""
    by_part, by_head = "queries, keys and values one after another", "head by head"
    for heads, groups in _counts(outputs, shapes):
        grouped = _head_by_head(outputs, heads, groups)
        yield Order(grouped, by_head, by_part)
        yield Order(grouped.argsort(), by_part, by_head)
        if heads == groups:
            yield from _of_equal_parts(outputs, heads)
    if outputs % 3 == 0 and all(shape.heads == shape.key_heads for shape in shapes):
        yield from _exchanged(outputs)


def _counts(outputs: int, shapes: list[HeadShape]) -> list[tuple[int, int]]:
    """Heads of queries, and of keys and values, that the outputs can be split into."""
    known = [(shape.heads, shape.key_heads) for shape in shapes] or [(count, count) for count in USUAL_COUNTS]
    return [(heads, groups) for heads, groups in known if outputs % (heads + 2 * groups) == 0 and heads % groups == 0]


def _head_by_head(outputs: int, heads: int, groups: int) -> Tensor:
    """From ``(groups, heads / groups + 2, width)`` to all queries, all keys, all values."""
    each = heads // groups
    rows = torch.arange(outputs).view(groups, each + 2, -1)
    return torch.cat([rows[:, :each].reshape(-1), rows[:, each].reshape(-1), rows[:, each + 1].reshape(-1)])


def _of_equal_parts(outputs: int, heads: int) -> Iterator[Order]:
    """Layouts in which the heads, or the three parts, change fastest."""
    rows, width = torch.arange(outputs), outputs // (3 * heads)
    part_last = rows.view(heads, width, 3)
    yield Order(part_last.permute(2, 0, 1).flatten(), "channel by channel", "queries, keys and values in turn")
    yield Order(part_last.permute(0, 2, 1).flatten(), "channel by channel", "head by head")
    head_last = rows.view(3, width, heads)
    yield Order(head_last.permute(0, 2, 1).flatten(), "with the heads side by side", "with the heads in turn")
    yield Order(rows.view(3, heads, width).permute(0, 2, 1).flatten(), "with the heads in turn", "side by side")


def _exchanged(outputs: int) -> Iterator[Order]:
    """Keys before queries, values first, and so on."""
    parts = dict(zip("qkv", torch.arange(outputs).chunk(3), strict=True))
    for order in ("kqv", "vkq", "qvk", "vqk", "kvq"):
        moved = torch.cat([parts["qkv"[order.index(part)]] for part in "qkv"])
        yield Order(moved, f"in the order {', '.join(order)}", "in the order q, k, v")


@contextmanager
def _taken(module: nn.Module, paths: tuple[str, ...], rows: Tensor) -> Iterator[None]:
    """As if the rows of weights, biases and adapters were permuted."""

    def reorder(output: Tensor) -> Tensor:
        return output[..., rows.to(output.device)]

    parts: dict[str, Any] = {path: module.get_submodule(path) for path in paths}
    tensors = {
        f"{path}.{name}": tensor.detach()[rows.to(tensor.device)]
        for path, part in parts.items()
        if isinstance(part, nn.MultiheadAttention)
        for name, tensor in (("in_proj_weight", part.in_proj_weight), ("in_proj_bias", part.in_proj_bias))
        if tensor is not None
    }
    linear = [path for path, part in parts.items() if not isinstance(part, nn.MultiheadAttention)]
    with swapped_tensors(module, tensors), changed_outputs(module, dict.fromkeys(linear, reorder)):
        yield


def _fused(module: nn.Module) -> tuple[str, ...]:
    """Projections to more outputs than inputs by their names; to three times as many in an attention."""
    paths = [path for path, part in module.named_modules() if _is_fused(path, part)]
    return tuple(path for path in paths if not any(path.startswith(f"{outer}.") for outer in paths))


def _is_fused(path: str, part: nn.Module) -> bool:
    if isinstance(part, nn.MultiheadAttention):
        return part.in_proj_weight is not None
    weight = getattr(part, "weight", None)
    if not isinstance(weight, Tensor) or weight.dim() != 2 or isinstance(part, nn.Embedding):
        return False
    parent, _, name = path.lower().rpartition(".")
    if any(known in name for known in NAMES):
        return max(weight.shape) > min(weight.shape)
    return "att" in parent.rpartition(".")[2] and max(weight.shape) == 3 * min(weight.shape)


def _outputs(part: Any) -> int:
    """The larger side, whichever way round the weight stands."""
    return max(part.in_proj_weight.shape if isinstance(part, nn.MultiheadAttention) else part.weight.shape)
