"""Queries and keys in the other order of rotary pairs: channels side by side, or half a head apart."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from evalharness.diagnosis.repair import Repair
from evalharness.diagnosis.trials.head_shapes import HEAD_COUNTS, HEAD_WIDTHS
from evalharness.diagnosis.trials.kept_values import CONFIGURATIONS
from evalharness.diagnosis.trials.random_change import random_order
from evalharness.diagnosis.trials.rotary_tables import rotary_tables
from evalharness.diagnosis.trials.swapping import changed_outputs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from evalharness.diagnosis.subject import Subject

PAIRS = (("q_proj", "k_proj"), ("wq", "wk"), ("query", "key"), ("to_q", "to_k"), ("c_q", "c_k"), ("q", "k"))
"""What modules call the projections to queries and to keys."""
FUSED = ("qkv_proj", "qkv", "c_attn", "Wqkv", "wqkv")
"""What they call one projection to queries, keys and values, in this order."""


@dataclass(frozen=True, slots=True)
class Projection:
    """A module whose first ``channels`` outputs are queries or keys: heads of ``width``, one after another."""

    path: str
    channels: int
    width: int


def repairs(subject: Subject) -> Iterator[Repair]:
    """Both ways. Without rotary positions neither changes anything: queries and keys are then turned alike."""
    module = subject.torch_model.module
    rotary = _rotary_channels(module)
    projections = tuple(_projections(module, rotary))
    if not projections:
        return
    width = projections[0].width
    turned = min(rotary or width, width)
    rest = torch.arange(turned, width)
    by_halves = torch.cat([torch.arange(turned).view(-1, 2).T.reshape(-1), rest])
    yield _reordered(projections, by_halves, here="side by side", there="half a head apart")
    side_by_side = torch.cat([torch.arange(turned).view(2, -1).T.reshape(-1), rest])
    yield _reordered(projections, side_by_side, here="half a head apart", there="side by side")


def _reordered(projections: tuple[Projection, ...], order: Tensor, *, here: str, there: str) -> Repair:
    """``order`` ``(width,)``: which channel of a head stands in each place."""

    def null(seed: int) -> Repair:
        drawn = random_order(len(order), seed)
        return _reordered(projections, drawn, here=here, there="at random")

    return Repair(
        kind="rope_layout",
        words=f"the rotary pairs of queries and keys, which are channels {here}, put {there}",
        place=projections[0].path,
        remedy=(
            f"Permute the rows of the queries' and keys' weights and biases, head by head ({projections[0].path} is "
            f"the first): they pair channels {here}, and this model turns channels {there}."
        ),
        change=partial(_outputs_reordered, projections=projections, order=order),
        sharp=True,
        null=null,
    )


def _outputs_reordered(
    module: nn.Module, projections: tuple[Projection, ...], order: Tensor
) -> AbstractContextManager[None]:
    """As if the rows of weights, biases and adapters were permuted."""

    def reorder(channels: int, output: Tensor) -> Tensor:
        heads = output[..., :channels].reshape(*output.shape[:-1], -1, len(order))
        moved = heads[..., order.to(output.device)].flatten(-2)
        return torch.cat([moved, output[..., channels:]], dim=-1)

    return changed_outputs(module, {each.path: partial(reorder, each.channels) for each in projections})


def _projections(module: nn.Module, rotary: int | None) -> Iterator[Projection]:
    """Those of every attention whose heads have one even width; the width of the first is that of all."""
    first: int | None = None
    for path, part in module.named_modules():
        channels = _channels(part)
        width = _head_width(part, max(channels.values(), default=0)) or rotary
        if not channels or width is None or width % 2 or any(n % width for n in channels.values()):
            continue
        first = first or width
        if width == first:
            yield from (Projection(f"{path}.{name}".lstrip("."), n, width) for name, n in channels.items())


def _channels(part: nn.Module) -> dict[str, int]:
    """The outputs that are queries or keys, by the names of an attention's projections."""
    own: dict[str, Any] = dict(part.named_children())
    for names in PAIRS:
        if all(name in own and hasattr(own[name], "weight") for name in names):
            return {name: _outputs(own[name]) for name in names}
    for name in FUSED:
        if name in own and hasattr(own[name], "weight"):
            queries = min(own[name].weight.shape)
            values = (_outputs(own[name]) - queries) // 2
            return {name: queries + values} if values > 0 else {}
    return {}


def _outputs(part: Any) -> int:
    """The outputs of a linear module, whichever way round its weight stands."""
    return int(getattr(part, "out_features", None) or getattr(part, "nf", None) or part.weight.shape[0])


def _head_width(part: nn.Module, channels: int) -> int | None:
    """Channels of a head, by what the attention or its configuration says of width or number."""
    owners = [part, *(vars(part)[name] for name in CONFIGURATIONS if name in vars(part))]
    widths = [getattr(owner, name, None) for owner in owners for name in HEAD_WIDTHS]
    counts = [getattr(owner, name, None) for owner in owners for name in HEAD_COUNTS]
    known = [width for width in widths if isinstance(width, int)]
    known += [channels // count for count in counts if isinstance(count, int) and 0 < count <= channels]
    return known[0] if known else None


def _rotary_channels(module: nn.Module) -> int | None:
    """How many channels of a head are turned, by the tables of the module; None without any."""
    tables = rotary_tables(module)
    return 2 * (max(tables[0].pair) + 1) if tables else None
