"""Whether a scored step is as it would be scored now, told without loading torch or reading a weight.

What was read is known by the sizes and times of its files, as ``make`` knows it; a file that was changed and has its
size and time as before is not noticed. What is scored again goes by the digests of contents.
"""

from __future__ import annotations

import dataclasses
import json
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from evalharness.pipeline.completing import digest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from evalharness.options import ScoreOptions
    from evalharness.pipeline.work import Work

NAME = ".journal/stamp.json"
_CHANGE_NOTHING = ("batch_size", "workers", "out", "step", "trust")


def stamp(work: Work) -> str:
    """What a score was made of and how, as JSON."""
    data = (work.manifest.data.train, work.manifest.data.validation)
    problems = [Path(name) for name in work.options.problems]
    files = [*work.checkpoint.files, *(path for path in (*data, *problems, work.options.mbpp) if path is not None)]
    return json.dumps({"options": key_of(work.options), "files": _states(files)}, indent=2) + "\n"


def is_fresh(folder: Path, options: ScoreOptions) -> bool:
    """Whether ``folder`` holds a whole score under these options, and nothing that it was made of has changed."""
    try:
        held = json.loads((folder / NAME).read_text(encoding="utf-8"))
        files = [Path(file) for file in held["files"]]
        return bool(held["options"] == key_of(options) and held["files"] == _states(files))
    except (OSError, ValueError, KeyError, TypeError):
        return False


def key_of(options: ScoreOptions) -> str:
    """A digest of the options that could change a score, and of the versions that make it."""
    asked = {name: value for name, value in dataclasses.asdict(options).items() if name not in _CHANGE_NOTHING}
    versions = {name: version(name) for name in ("evalharness", "torch")}
    return digest({"options": {name: str(value) for name, value in asked.items()}, "versions": versions})


def _states(files: Iterable[Path]) -> dict[str, list[int]]:
    """Size and time of each file that is there."""
    states = {}
    for file in sorted({file.resolve() for file in files if file.is_file()}):
        found = file.stat()
        states[str(file)] = [found.st_size, found.st_mtime_ns]
    return states
