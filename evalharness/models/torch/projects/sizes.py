"""The sizes of a model, as the shapes in its state dict show them."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from torch import Tensor

    State = Mapping[str, Tensor]

# How code names its sizes, by what they are. Numbers of heads are in no shape.
_WORDS = {
    "vocabulary": re.compile(r"vocab|n_?tok|num_tok|^rows$|num_embeddings|n_?chars"),
    "context": re.compile(r"context|ctx|block_?size|seq|max_?len|positions|^T$"),
    "layers": re.compile(r"layer|depth|blocks|n_?block"),
    "hidden": re.compile(r"hidden_dim|(^|_)ffn?(_|$)|mlp|intermediate|inner"),
    "width": re.compile(r"width|d_?model|embd|embed|^n?_?dim$|hidden|channels|^d$|^C$"),
}
_TOKENS = re.compile(r"tok|wte|emb")
_POSITIONS = re.compile(r"pos|wpe")
_INNER = re.compile(r"mlp|ff|fc|up|gate|w1|inner|intermediate")


def size_named(parameter: str, sizes: Mapping[str, int]) -> int | None:
    """The size that a parameter of ``__init__`` means by its name; None where its name tells none that is known.

    >>> size_named("n_layer", {"layers": 4}), size_named("n_head", {"layers": 4})
    (4, None)
    """
    kind = next((kind for kind, words in _WORDS.items() if words.search(parameter)), None)
    return None if kind is None else sizes.get(kind)


def sizes_of(state: State) -> dict[str, int]:
    """Vocabulary, width, layers, context and hidden width, as far as names and shapes show them."""
    matrices = {name: tuple(tensor.shape) for name, tensor in state.items() if tensor.dim() == 2}
    tables = {name: shape for name, shape in matrices.items() if _TOKENS.search(name) and not _POSITIONS.search(name)}
    if not (tables or matrices):
        return {}
    vocabulary, width = max((tables or matrices).values())
    positions = [t.shape[-2] for name, t in state.items() if t.dim() >= 2 and _POSITIONS.search(name)]
    inner = [max(shape) for name, shape in matrices.items() if _INNER.search(name) and width in shape]
    sizes = {"vocabulary": vocabulary, "width": width, "layers": _layers(state)}
    sizes |= {"context": int(positions[0])} if positions else {}
    return sizes | ({"hidden": inner[0]} if inner else {})


def _layers(state: State) -> int:
    """The most numbered parts that stand in one list."""
    lists = Counter(prefix for prefix, _ in {numbered for name in state for numbered in _numbered(name)})
    return max(lists.values(), default=0)


def _numbered(name: str) -> Iterator[tuple[str, str]]:
    parts = name.split(".")
    yield from ((".".join(parts[:i]), part) for i, part in enumerate(parts) if part.isdigit())
