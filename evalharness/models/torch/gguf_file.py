"""GGUF files: read by transformers, with the tokenizer that is in them. Their weights are unpacked when they load."""

from __future__ import annotations

import importlib
import importlib.util
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from evalharness.errors import CheckpointError
from evalharness.models.torch.error_text import first_line

if TYPE_CHECKING:
    from pathlib import Path

_PART = re.compile(r"-\d{5}-of-(\d{5})\.gguf")
_FILE_TYPE = "general.file_type"
_PREFIXES = ("MOSTLY_", "ALL_")


def check_gguf(path: Path) -> None:
    """Raise CheckpointError if the package ``gguf`` is missing, or if the file is one of several parts."""
    if importlib.util.find_spec("gguf") is None:
        raise CheckpointError(f"{path}: a GGUF file needs the package gguf: pip install 'evalharness[gguf]'")
    if part := _PART.search(path.name):
        raise CheckpointError(f"{path}: is one of {int(part[1])} parts: join them by llama-gguf-split --merge")


def quantisation_of_gguf(path: Path) -> str:
    """What the weights are packed as: the file's own word for it, and the types of its tensors, the largest first.

    Raises CheckpointError if it is no GGUF file.
    """
    gguf: Any = importlib.import_module("gguf")
    try:
        reader = gguf.GGUFReader(path)
        sizes: Counter[str] = Counter()
        for tensor in reader.tensors:
            sizes[tensor.tensor_type.name] += int(tensor.n_elements)
        types = [name for name, _ in sizes.most_common()]
        return f"GGUF {_file_type(gguf, reader) or types[0]} (tensors: {', '.join(types)})"
    except Exception as error:  # the reader does not check what it reads
        raise CheckpointError(f"{path}: is corrupt, truncated or no GGUF file: {first_line(error)}") from error


def _file_type(gguf: Any, reader: Any) -> str | None:
    """The name that llama.cpp gives to the mixture of types: ``Q4_K_M``; None if the file has none that is known."""
    field = reader.get_field(_FILE_TYPE)
    try:
        name: str = gguf.LlamaFileType(int(field.parts[-1][0])).name
    except (AttributeError, ValueError):
        return None
    return next((name.removeprefix(prefix) for prefix in _PREFIXES if name.startswith(prefix)), None)
