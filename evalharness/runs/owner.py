"""Whose a run folder is: the records of one model are never put over those of another.

Each scored checkpoint's folder records what it is of (:data:`evalharness.runs.paths.OWNER`). A name that is taken by
another model gets a number: ``tuned-2``. Of a folder from before these records its scorecard tells.
"""

from __future__ import annotations

import contextlib
import itertools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from evalharness.runs import paths
from evalharness.runs.folder import RunFolder
from evalharness.runs.naming import alternatives

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass(frozen=True, slots=True)
class Owner:
    """What a scored checkpoint's folder is of.

    ``source`` is what the whole run is of: the resolved path of a series, or of a checkpoint that stands alone.
    ``member`` names the one checkpoint of it: :func:`numbered`, or a path if its step is not known. ``fingerprint`` is
    that of the checkpoint: a copy of it is the same model. ``by_scorecard`` marks what only a scorecard says: its path
    may be that of the series or that of the checkpoint.
    """

    source: str
    member: str
    fingerprint: str
    by_scorecard: bool = False

    def is_of(self, source: str) -> bool:
        """Whether these are records of a source."""
        pair = (Path(self.source), Path(source))
        is_inside = self.by_scorecard and (pair[0].parent == pair[1] or pair[1].parent == pair[0])
        return self.source == source or is_inside

    def is_same_model(self, other: Owner) -> bool:
        """Whether the records of the other may replace these: those of the same checkpoint, or of a copy of it."""
        return self.fingerprint == other.fingerprint or (self.is_of(other.source) and self.member == other.member)


def numbered(step: int) -> str:
    """The name of a checkpoint whose step is known among those of its source."""
    return f"step {step}"


@contextlib.contextmanager
def claimed(out: Path, name: str, inner: str, owner: Owner, say: Callable[[str], None]) -> Iterator[RunFolder]:
    """Hold ``out/<name>/<inner>/`` for its owner, or the same under the next name that is free, and say which.

    Raises :class:`StoreError` if the folder can't be written or another process holds it.
    """
    for candidate in alternatives(name):
        run = out / candidate
        if _another_source(run, owner.source) is not None:
            continue
        with RunFolder(run / inner) as folder:
            present = read_owner(folder.path)
            if present is not None and not present.is_same_model(owner):
                continue
            if candidate != name:
                say(f"{out / name} holds the records of another model: writing to {run} instead")
            elif present is not None and present.fingerprint != owner.fingerprint and paths.holds_score(folder.path):
                say(f"{folder.path}: the checkpoint has changed since it was scored: replacing its score")
            folder.write(paths.OWNER, json_text(owner))
            yield folder
        return


def run_folder(out: Path, name: str, source: str) -> Path:
    """The folder of a run in ``out``: the first of its name that holds no other source's records."""
    return next(run for n in alternatives(name) if _another_source(run := out / n, source) is None)


def folders_called(out: Path, name: str) -> Iterator[Path]:
    """The folders that runs of one name may have been given, as far as they are there."""
    return itertools.takewhile(Path.is_dir, (out / candidate for candidate in alternatives(name)))


def read_owner(folder: Path) -> Owner | None:
    """What a scored checkpoint's folder is of; None if it holds nothing that tells."""
    try:
        recorded = json.loads((folder / paths.OWNER).read_text(encoding="utf-8"))
        return Owner(str(recorded["source"]), str(recorded["member"]), str(recorded["fingerprint"]))
    except (OSError, ValueError, KeyError, TypeError):
        return _owner_by_scorecard(folder)


def json_text(owner: Owner) -> str:
    """The content of the file that :func:`read_owner` reads."""
    content = {"source": owner.source, "member": owner.member, "fingerprint": owner.fingerprint}
    return json.dumps(content, indent=2) + "\n"


def _owner_by_scorecard(folder: Path) -> Owner | None:
    try:
        info = json.loads((folder / paths.SCORECARD).read_text(encoding="utf-8"))["checkpoint"]
        path, fingerprint, step = str(info["path"]), str(info["fingerprint"]), info["step"]
        was_seen = info["parameters"] is not None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if not was_seen:  # completions of another tool: the path is the name of their run
        return Owner(named(path), "", fingerprint)
    source = str(Path(path).resolve())  # as it was given where the command ran
    return Owner(source, source if step is None else numbered(step), fingerprint, by_scorecard=True)


def named(run: str) -> str:
    """The source of completions whose model was not seen: the run that they are said to be of."""
    return f"completions of {run}"


def _another_source(run: Path, source: str) -> Owner | None:
    """An owner of records in a run's folder that is of another source."""
    owners = (read_owner(folder) for folder in paths.begun_steps(run))
    return next((owner for owner in owners if owner is not None and not owner.is_of(source)), None)
