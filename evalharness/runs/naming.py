"""What a run folder is called: the name of its checkpoint or training run, where that says anything.

``model.pt``, ``ckpt.pt``, ``checkpoints/`` and ``out/`` are called alike in every project: the first folder above them
with a name of its own is taken instead.
"""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SUFFIX = re.compile(
    r"(?:(?:\.safetensors|\.bin)\.index\.json|\.(?:safetensors|pt|pth|bin|ckpt|jsonl|ndjson|json|eval))?(?:\.gz)?$",
    re.IGNORECASE,
)
_SAY_NOTHING = frozenset(
    (
        *(
            "base",
            "model",
            "models",
            "ckpt",
            "ckpts",
            "checkpoint",
            "checkpoints",
            "pytorch",
            "lit",
            "adapter",
            "consolidated",
        ),
        *(
            "weights",
            "state",
            "dict",
            "final",
            "best",
            "last",
            "latest",
            "step",
            "iter",
            "iteration",
            "epoch",
            "global",
        ),
        *("of", "out", "output", "outputs", "save", "saved", "runs", "global"),
    )
)
"""Words that trainers use for names: ``pytorch_model``, ``best_model``, ``consolidated.00``, ``epoch=3-step=500``."""


def run_name(source: Path) -> str:
    """The name for the folder of a run: that of a checkpoint or of the folder of a series, or of the next above it."""
    own = without_suffix(source)
    names = (own, *(folder.name for folder in source.parents))
    return next((name for name in names if _says_something(name)), own)


def _says_something(name: str) -> bool:
    words = re.findall(r"[^\W\d_]+", name.lower())
    return bool(name) and (not words or not _SAY_NOTHING.issuperset(words))


def without_suffix(path: Path) -> str:
    """The name of a file without what says its form; dots within the name stay. That of a folder as it is."""
    return path.name if path.is_dir() else _SUFFIX.sub("", path.name) or path.name


def alternatives(name: str) -> Iterator[str]:
    """The name itself, then ``name-2``, ``name-3`` and so on, without an end."""
    yield name
    for number in itertools.count(2):
        yield f"{name}-{number}"
