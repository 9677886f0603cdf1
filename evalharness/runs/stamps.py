"""What a score was made of, recorded in its folder, so that one that still holds is not made again.

A file is known by its size, its time and a sample of its content, the whole of a small one: a change that leaves all
three as they were is not noticed. What is scored again goes by the whole file.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalharness.runs import paths

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from evalharness.runs.folder import RunFolder

_WHOLE_BYTES, _BLOCKS, _BLOCK_BYTES = 1 << 20, 64, 1 << 12
"""A file of up to a mebibyte is read whole, of a larger one this many blocks of this size."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """What one score was made of.

    ``options`` is a digest of the settings that could change it. ``checkpoint`` and ``manifest`` are resolved paths.
    ``log`` is a digest of the losses up to ``step``; ``log_files`` are size and time of the files that they were read
    from, ``files`` size, time and digest of all other files. ``bytes_per_token`` was measured on the
    data, to convert losses in bits per byte.
    """

    options: str
    checkpoint: str
    manifest: str
    step: int | None
    log: str
    log_files: Mapping[str, list[int]]
    files: Mapping[str, list[int | str]]
    bytes_per_token: float | None = None

    def files_are_unchanged(self) -> bool:
        """Whether all files but the logs are what they were."""
        try:
            return contents_of([Path(file) for file in self.files]) == self.files
        except OSError:
            return False


def write_stamp(folder: RunFolder, stamp: Stamp) -> None:
    """Record that the score in a folder is whole, and what it was made of."""
    folder.write(paths.STAMP, json.dumps(dataclasses.asdict(stamp), indent=2) + "\n")


def read_stamp(folder: Path) -> Stamp | None:
    """What the score in a folder was made of; None if there is no whole score in it."""
    try:
        content: dict[str, Any] = json.loads((folder / paths.STAMP).read_text(encoding="utf-8"))
        return Stamp(**content)
    except (OSError, ValueError, TypeError):
        return None


def contents_of(files: Iterable[Path]) -> dict[str, list[int | str]]:
    """Size, time and a digest of a sample of the content of each file that is there."""
    return {name: [*state, _sampled(Path(name), state[0])] for name, state in states_of(files).items()}


def states_of(files: Iterable[Path]) -> dict[str, list[int]]:
    """Size and time of each file that is there."""
    states = {}
    for file in sorted({file.resolve() for file in files if file.is_file()}):
        state = file.stat()
        states[str(file)] = [state.st_size, state.st_mtime_ns]
    return states


def _sampled(file: Path, size: int) -> str:
    """The sha256, in hex, of a small file, or of blocks all over a large one: training changes every one of them."""
    with file.open("rb") as opened:
        if size <= _WHOLE_BYTES:
            return hashlib.sha256(opened.read()).hexdigest()
        digest = hashlib.sha256()
        for number in range(_BLOCKS):
            opened.seek(number * (size - _BLOCK_BYTES) // (_BLOCKS - 1))
            digest.update(opened.read(_BLOCK_BYTES))
        return digest.hexdigest()
