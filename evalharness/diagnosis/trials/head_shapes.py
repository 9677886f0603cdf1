"""How an attention splits its channels into heads, by the numbers that modules and configurations keep."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evalharness.diagnosis.trials.kept_values import kept_values

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn

HEAD_WIDTHS = ("head_dim", "head_size", "d_head", "dim_head", "hidden_size_per_attention_head", "attention_head_size")
HEAD_COUNTS = (
    "num_heads", "n_head", "n_heads", "num_attention_heads", "heads", "nhead", "nheads", "num_head", "head_num",
    "n_local_heads", "num_query_heads", "n_q_heads",
)  # fmt: skip
GROUP_COUNTS = (
    "num_key_value_heads", "num_kv_heads", "n_kv_heads", "n_kv_head", "kv_heads", "n_local_kv_heads",
    "num_query_groups", "n_query_groups",
)  # fmt: skip
"""What they call the number of heads of keys and values."""


@dataclass(frozen=True, slots=True)
class HeadShape:
    """``counts``, ``groups`` and ``widths`` are numbers by their paths; those of one kind are equal.

    ``channels`` is heads of queries times channels of a head.
    """

    counts: Mapping[str, int]
    groups: Mapping[str, int]
    widths: Mapping[str, int]
    heads: int
    channels: int

    @property
    def key_heads(self) -> int:
        """Heads of keys and values."""
        return next(iter(self.groups.values()), self.heads)

    @property
    def width(self) -> int:
        """Channels of a head."""
        return self.channels // self.heads

    def with_heads(self, heads: int) -> dict[str, int]:
        """The numbers of as many heads over the same channels, by their paths; key heads keep their share."""
        return {
            **dict.fromkeys(self.counts, heads),
            **dict.fromkeys(self.groups, self.key_heads * heads // self.heads),
            **dict.fromkeys(self.widths, self.channels // heads),
        }


def head_shapes(module: nn.Module) -> list[HeadShape]:
    """One for each number of heads that modules or configurations keep: the code may read another than the other says.

    Without a number of heads, one for the width that is kept.
    """
    counts = kept_values(module, HEAD_COUNTS, int)
    numbers = list(dict.fromkeys(counts.values()))
    named = [{path: n for path, n in counts.items() if n == number} for number in numbers] or [{}]
    shapes = (_shape(module, of_number, counts) for of_number in named)
    return [shape for shape in shapes if shape is not None]


def _shape(module: nn.Module, counts: Mapping[str, int], every: Mapping[str, int]) -> HeadShape | None:
    groups = _beside(kept_values(module, GROUP_COUNTS, int), counts, every)
    widths = _beside(kept_values(module, HEAD_WIDTHS, int), counts, every)
    paths = [*counts, *widths]
    if not paths or len(set(groups.values())) > 1 or len(set(widths.values())) > 1:
        return None
    matrix = _channels(module, paths[0])
    width = next(iter(widths.values()), None)
    heads = next(iter(counts.values()), None) or (matrix // width if width else 0)
    channels = heads * width if width else matrix
    return HeadShape(counts, groups, widths, heads, channels) if heads > 0 and channels % heads == 0 else None


def _beside(kept: Mapping[str, int], counts: Mapping[str, int], every: Mapping[str, int]) -> dict[str, int]:
    """The numbers that stand beside one of ``counts``, or where no count stands."""
    own, others = {_owner(path) for path in counts}, {_owner(path) for path in every}
    return {path: value for path, value in kept.items() if _owner(path) in own or _owner(path) not in others}


def _owner(path: str) -> str:
    return path.rpartition(".")[0]


def _channels(module: nn.Module, path: str) -> int:
    """The smaller side of the largest matrix of the part that keeps the number."""
    parts: dict[str, Any] = dict(module.named_modules())
    owner = _owner(path)
    while owner not in parts:  # the path of a configuration
        owner = _owner(owner)
    return max((min(each.shape) for each in parts[owner].parameters() if each.dim() == 2), default=0)
