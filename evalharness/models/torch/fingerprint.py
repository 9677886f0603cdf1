"""One digest of everything that could change what a checkpoint writes, so that no result is taken for another's."""

from __future__ import annotations

import ast
import hashlib
import json
import sys
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalharness.models.torch.factory import is_library

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from torch import nn


def digest_of(parts: Mapping[str, Any]) -> str:
    """Return the sha256 over named parts; values are whatever JSON holds, and text for anything else."""
    text = json.dumps(parts, sort_keys=True, default=str, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def digests_of_files(files: Iterable[Path]) -> list[tuple[str, str]]:
    """Return name and sha256 of each file, sorted. Folders are left out: what was moved is the same."""
    digests = []
    for file in files:
        with file.open("rb") as stream:
            digests.append((file.name, hashlib.file_digest(stream, "sha256").hexdigest()))
    return sorted(digests)


def source_files(module: nn.Module, seeds: Iterable[Path | None], roots: Iterable[Path]) -> list[Path]:
    """Return the user's source files that the model's code consists of, sorted.

    From the files of factory, forward and tokenizer and of every class in the model, all imports are followed, also
    those inside functions, as far as they lead to code that is not an installed library. What else happens to be loaded
    in the process plays no part, so that the same checkpoint has the same digest everywhere.
    """
    search = list(roots)
    waiting = deque([file for file in seeds if file is not None])
    waiting.extend(_files_of_classes(module))
    seen: set[Path] = set()
    while waiting:
        file = waiting.popleft().resolve()
        if file in seen or file.suffix != ".py" or not file.is_file() or is_library(file):
            continue
        seen.add(file)
        waiting.extend(_imported_files(file, search))
    return sorted(seen)


def _files_of_classes(module: nn.Module) -> Iterator[Path]:
    classes = {cls for part in module.modules() for cls in type(part).__mro__}
    owners: list[Mapping[str, Any]] = [vars(cls) for cls in classes]
    # A method may also be put on one module: `model.forward = masked_forward`.
    owners.extend(vars(part) for part in module.modules())
    for owner in owners:
        for value in list(owner.values()):
            code = getattr(getattr(value, "__func__", value), "__code__", None)
            if code is not None:
                yield Path(code.co_filename)


def _imported_files(file: Path, roots: list[Path]) -> Iterator[Path]:
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _files_of_name(alias.name, [file.parent, *roots])
        elif isinstance(node, ast.ImportFrom):
            yield from _files_of_from(node, file, roots)


def _files_of_from(node: ast.ImportFrom, file: Path, roots: list[Path]) -> Iterator[Path]:
    places = [file.parents[node.level - 1]] if node.level else [file.parent, *roots]
    for alias in node.names:
        yield from _files_of_name(f"{node.module}.{alias.name}" if node.module else alias.name, places)


def _files_of_name(name: str, places: list[Path]) -> Iterator[Path]:
    """The files of ``a``, ``a.b`` and ``a.b.c``: a package's ``__init__`` runs as well."""
    parts = name.split(".")
    for count in range(1, len(parts) + 1):
        bases = [place.joinpath(*parts[:count]) for place in places]
        candidates = [file for base in bases for file in (base / "__init__.py", base.with_suffix(".py"))]
        source = next((file for file in candidates if file.is_file()), None)
        # Only what lies in none of the folders: another project may have a loaded module of the same name.
        loaded = getattr(sys.modules.get(".".join(parts[:count])), "__file__", None)
        if source is not None:
            yield source
        elif loaded:
            yield Path(loaded)
