"""What a project's own files say of a checkpoint, in the manifest's terms; and where they are looked for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from evalharness.extensions import extensions, own_modules
from evalharness.models.torch.weights import read_saved

if TYPE_CHECKING:
    from collections.abc import Iterator


Saved = Mapping[str, Any]
_MOST_FOLDERS = 6
"""How far above a checkpoint its code may lie: Lightning's files are four folders below the script."""
_ROOTS = (".git", "pyproject.toml", "setup.py")


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a manifest would say. ``folder`` is where it would lie: specs and paths are relative to that.

    ``needs_trust``: the factory is code of the user's, not of an installed package.
    """

    project: str
    folder: Path
    factory: str
    args: Mapping[str, Any] = field(default_factory=dict)
    tokenizer: str | None = None
    begin_token: str | int | None = None
    context_length: int | None = None
    train: Path | None = None
    validation: Path | None = None
    needs_trust: bool = True
    notes: tuple[str, ...] = ()


def existing(path: Path) -> Path | None:
    """The path if a file lies there."""
    return path if path.is_file() else None


class Place:
    """A weight file, and what lies around it. ``working_folder`` and its subfolders are searched too."""

    def __init__(self, weights: Path, working_folder: Path, *, trust: bool = False) -> None:
        self.weights = weights.resolve()
        self.trust = trust
        self._working_folder = working_folder.resolve()

    @cached_property
    def saved(self) -> Saved:
        """What was saved in the file beside the tensors. Raises UntrustedError where reading it would run code."""
        return read_saved(self.weights, trust=self.trust)

    @cached_property
    def folders(self) -> tuple[Path, ...]:
        """The checkpoint's folder and those above it, up to the working folder or its project's, and the former."""
        above = (self.weights.parent, *self.weights.parent.parents)[:_MOST_FOLDERS]
        kept: list[Path] = []
        for folder in above:
            if folder in {Path.home(), Path(folder.anchor)} and folder != self.weights.parent:
                break
            kept.append(folder)
            if folder == self._working_folder or any((folder / name).exists() for name in _ROOTS):
                break
        return tuple(dict.fromkeys((*kept, self._working_folder)))

    def find(self, *names: str) -> Path | None:
        """The nearest file or folder of one of these names, which may have folders in them: ``data/meta.pkl``."""
        paths = (folder / name for folder in self.folders for name in names)
        return next((path for path in paths if path.exists()), None)

    def beside(self, name: str) -> Saved:
        """The object in a JSON file beside the weights; an empty one where there is none."""
        try:
            values = json.loads((self.weights.parent / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return values if isinstance(values, dict) else {}


class Project(Protocol):
    """The checkpoints of one project. The lowest ``PRIORITY`` is asked first."""

    PROJECT: str
    PRIORITY: int

    def propose(self, place: Place) -> Proposal | None:
        """What a manifest would say of this checkpoint; None where it is none of this project's."""


def propose(place: Place) -> Proposal | None:
    """What the first project that knows a checkpoint says of it."""
    return next((proposal for project in projects() if (proposal := project.propose(place)) is not None), None)


def projects() -> Iterator[Any]:
    """This package's projects in their order, then those of other packages."""
    yield from sorted(own_modules(__package__ or "", "PROJECT"), key=lambda module: module.PRIORITY)
    yield from (extension.guarded for extension in extensions("projects").loaded)
