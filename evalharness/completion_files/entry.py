"""What a file of completions holds: entries as they stand in it, and completions as they are read from them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from evalharness.errors import CompletionFileError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from evalharness.records import StopReason


@dataclass(frozen=True, slots=True)
class FileCompletion:
    """One completion of a file, with what the file says of it.

    ``prompt`` is what the model was given, None where the file doesn't say. ``holds_prompt`` says that the tool writes
    whole programs, so that ``text`` begins with the prompt, as it was or written again. ``is_answer`` says that the
    tool asks with prompts of its own, which may differ from the problem's. ``task_id`` is the number of
    the line, or the position, where the file has no ids (``has_id``). ``row`` is the whole row, where the file has one
    for each completion, ``number`` where it stands there, from 1. A reader leaves ``completion_id`` None where the file
    has none; ``read_completions`` then numbers the completions of each task in the order of the file.
    """

    task_id: str
    text: str
    number: int
    completion_id: int | None = None
    has_id: bool = True
    prompt: str | None = None
    holds_prompt: bool = False
    is_answer: bool = False
    row: Mapping[str, Any] = field(default_factory=dict)
    token_ids: tuple[int, ...] | None = None
    token_entropy_nats: tuple[float, ...] | None = None
    stop_reason: StopReason | None = None
    form: str = ""


@dataclass(frozen=True, slots=True)
class CompletionFile:
    """All completions of one file, in its order. ``forms`` counts them by the tool that writes such files.

    ``notes`` has a line for whatever was left out or mended.
    """

    path: Path
    completions: tuple[FileCompletion, ...]
    forms: Mapping[str, int]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Broken:
    """A line that is no JSON, and why. ``torn`` says that it is the last one and has no end."""

    reason: str
    torn: bool


@dataclass(frozen=True, slots=True)
class ProgramFolders:
    """The texts of the programs in a folder of folders, or in an archive of one, by their paths."""

    programs: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of JSONL, an element of a JSON list of objects, or a whole file.

    ``content`` is its JSON value; :class:`Broken` where it is none; the first bytes of a file that is no text;
    :class:`ProgramFolders` of a folder.
    """

    path: Path
    number: int
    content: Any
    unit: str = "line"

    def error(self, message: str) -> CompletionFileError:
        """An error that names the file, and the line where there are lines."""
        where = f" {self.unit} {self.number}" if self.unit else ""
        return CompletionFileError(f"{self.path}:{where} {message}")


@dataclass(slots=True)
class Memory:
    """What is kept from entry to entry of one file: what a reader left out, by reason, and facts of its own.

    ``faults`` are the keys of lines on readers of other packages that failed.
    """

    left_out: Counter[str] = field(default_factory=Counter)
    faults: dict[str, None] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)


class Reader(Protocol):
    """One form of completions: a module of this package, or a module or an object of another package.

    ``PRIORITY`` decides which of several forms that fit is taken, the lowest number first; 0 if it is missing.
    """

    FORM: str

    def recognises(self, content: Any) -> bool:
        """Whether an entry's content has this form."""

    def read(self, entry: Entry, memory: Memory) -> Iterator[FileCompletion]:
        """Yield the completions of one entry. Raises :class:`CompletionFileError` where something has a wrong type."""
