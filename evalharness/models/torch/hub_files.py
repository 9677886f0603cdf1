"""Which files of a repository of the hub are downloaded: one set of weights in each folder, and what is small."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from evalharness.models.torch.step_names import is_step_name
from evalharness.models.torch.weight_names import ADAPTER_WEIGHTS, GGUF_SUFFIX, INDEX_SUFFIX, is_weights_name

if TYPE_CHECKING:
    from collections.abc import Iterable

_SMALL = frozenset((".json", ".jsonl", ".txt", ".model", ".tiktoken", ".jinja", ".py", ".toml", ".csv", ".log"))
_PART, _INDEX = r"(?:-\d+-of-\d+)?", r"(?:\.index\.json)?"
_KINDS = tuple(
    re.compile(pattern)
    for pattern in (
        r"adapter_model\.safetensors",
        r"adapter_model\.bin",
        rf"model{_PART}\.safetensors{_INDEX}",
        rf"pytorch_model{_PART}\.bin{_INDEX}",
        rf".*\.safetensors{_INDEX}",
        r".*",
    )
)
"""The same weights often lie in a folder in several forms: the first kind that is there is taken."""


@dataclass(frozen=True, slots=True)
class FileChoice:
    """The files to download, and the weights among them; ``candidates`` are files of which only a user can choose."""

    files: tuple[str, ...] = ()
    weights: tuple[str, ...] = ()
    candidates: tuple[str, ...] = ()


def chosen_files(names: Iterable[str], *, series: bool) -> FileChoice:
    """Choose from the paths of a repository's files.

    Weights below the top are taken if there are none at the top, and those of single steps for a ``series``.
    """
    names = sorted(names)
    by_folder = _weights_by_folder(names)
    weights = tuple(name for folder in _folders(by_folder, series=series) for name in _best(by_folder[folder]))
    gguf = tuple(name for name in names if name.endswith(GGUF_SUFFIX))
    if not weights and len(gguf) != 1:
        return FileChoice(candidates=gguf)
    weights = weights or gguf
    folders = {".", *map(_folder, weights)}
    return FileChoice((*(name for name in names if _is_small(name, folders)), *weights), weights)


def _weights_by_folder(names: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for name in names:
        own = PurePosixPath(name).name
        if own in ADAPTER_WEIGHTS or is_weights_name(own):
            found[_folder(name)].append(name)
    return found


def _folders(by_folder: Iterable[str], *, series: bool) -> list[str]:
    """The folders whose weights are wanted."""
    if "." not in by_folder:
        return list(by_folder)
    return [name for name in by_folder if name == "." or (series and is_step_name(PurePosixPath(name).name))]


def _best(names: list[str]) -> list[str]:
    """The weights of one folder in the form that is read first."""
    matches = ([name for name in names if kind.fullmatch(PurePosixPath(name).name)] for kind in _KINDS)
    return next((found for found in matches if found), [])


def _is_small(name: str, folders: set[str]) -> bool:
    """Whether a file is read beside the weights in ``folders``; code may lie anywhere."""
    suffix = PurePosixPath(name).suffix
    return suffix == ".py" or (suffix in _SMALL and not name.endswith(INDEX_SUFFIX) and _folder(name) in folders)


def _folder(name: str) -> str:
    return str(PurePosixPath(name).parent)
