"""Classes that a pickled module asks for by name: their code lies beside the file or above it."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_ABOVE = 2


@contextmanager
def code_beside(path: Path) -> Iterator[None]:
    """Let modules beside a file, and in the folders above it, be imported meanwhile; what is installed comes first.

    What was imported from there is forgotten afterwards, so that no other checkpoint gets it.
    """
    folder = path.resolve().parent
    added = [str(place) for place in (folder, *folder.parents[:_ABOVE])]
    before = set(sys.modules)
    sys.path.extend(added)
    try:
        yield
    finally:
        del sys.path[len(sys.path) - len(added) :]
        for name in set(sys.modules) - before:
            file = getattr(sys.modules[name], "__file__", None)
            if file is not None and Path(file).parent in {Path(place) for place in added}:
                del sys.modules[name]
