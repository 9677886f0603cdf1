"""How a path becomes a model, a tokenizer, and what is known about them.

::

    locate.py        a path or a folder of a series -> one checkpoint      hub.py  a name of the hub -> a folder
    weights.py       its file -> tensors, safely
    factory.py       the manifest's code -> a module          huggingface.py  a folder -> a module
    fitting.py       tensors into the module                  adapters.py     an adapter into the module
    adapted.py       a model with its adapter switched off, and what is known of the adapter
    tokenizer_lookup.py   tokenizer and special tokens
    fingerprint.py   everything that could change a result -> one digest
    loading.py       all of it together: load_checkpoint

Importing this package imports no torch; :func:`load_checkpoint` does.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from evalharness.models.torch.locate import (
    Located,
    SeriesStep,
    find_on_hub,
    find_series,
    kind_of,
    locate,
    locate_step,
    weight_files_in,
)

if TYPE_CHECKING:
    from evalharness.models.torch.checkpoint_loading import Checkpoint, load_checkpoint
    from evalharness.models.torch.lone_tokenizer import tokenizer_alone

__all__ = [
    "Checkpoint",
    "Located",
    "SeriesStep",
    "find_on_hub",
    "find_series",
    "kind_of",
    "load_checkpoint",
    "locate",
    "locate_step",
    "tokenizer_alone",
    "weight_files_in",
]


def __getattr__(name: str) -> Any:
    if name in {"Checkpoint", "load_checkpoint"}:
        return getattr(importlib.import_module("evalharness.models.torch.checkpoint_loading"), name)
    if name == "tokenizer_alone":
        return importlib.import_module("evalharness.models.torch.lone_tokenizer").tokenizer_alone
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
