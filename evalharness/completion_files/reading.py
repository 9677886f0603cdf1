"""From files to completions: the content of each entry says which tool wrote it, and its reader reads it."""

from __future__ import annotations

import dataclasses
from collections import Counter
from functools import cache
from typing import TYPE_CHECKING, Any

from evalharness.completion_files import own, plain_rows, program_folders
from evalharness.completion_files.entry import Broken, CompletionFile, Entry, FileCompletion, Memory, Reader
from evalharness.completion_files.fields import completion_of
from evalharness.completion_files.json_entries import Entries
from evalharness.errors import CompletionFileError, ExtensionError
from evalharness.extensions import extensions, own_modules
from evalharness.runs.paths import COMPLETIONS_PATTERN

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

FOLDER_PATTERNS = (COMPLETIONS_PATTERN, "*.jsonl", "*.eval")
_KEYS_SHOWN = 12


@cache
def readers() -> Mapping[str, Reader]:
    """Every form that can be read, by the tool's name. The first one that recognises an entry reads it."""
    forms = [(module.FORM, module) for module in own_modules("evalharness.completion_files", "FORM")]
    forms += [(f"{e.value.FORM} (from {e.package})", e.guarded) for e in extensions("completions").loaded]
    return dict(sorted(forms, key=lambda form: getattr(form[1], "PRIORITY", 0)))


def completion_files(paths: Iterable[Path]) -> list[Path]:
    """The files of ``paths``: a folder stands for the completions of a score in it, or its own JSONL files or logs.

    A folder of folders with programs is taken as it is.

    Raises :class:`CompletionFileError` for a folder without any.
    """
    files: list[Path] = []
    for path in paths:
        listed = _in_folder(path) if path.is_dir() and not _has_programs(path) else [path]
        files += [file for file in listed if file not in files]
    return files


def read_completions(path: Path, key: str | None = None) -> CompletionFile:
    """Read all completions of a file: of the form it has, or, with ``key``, the texts under that key of its rows.

    Raises what :class:`Completions` raises.
    """
    reading = Completions(path, key)
    return CompletionFile(path, tuple(reading), dict(reading.forms), tuple(reading.notes))


class Completions:
    """The completions of a file, read while they are iterated over; as often as that is done.

    ``forms`` and ``notes`` are those of the last time. Iterating raises :class:`CompletionFileError`, one line with the
    number of the line where there is one, for a file that can't be read, is broken, or holds no completions. The last
    line of evalharness's own append-only files may be torn.
    """

    def __init__(self, path: Path, key: str | None = None) -> None:
        self._path, self._key = path, key
        self.forms: Counter[str] = Counter()
        self.notes: list[str] = []

    def __iter__(self) -> Iterator[FileCompletion]:
        entries, memory = Entries(self._path), Memory()
        faults = extensions("completions").faults
        self.forms, seen = Counter(), Counter[str]()
        torn: list[str] = []
        for entry in entries:
            if isinstance(entry.content, Broken) and entry.content.torn and set(self.forms) == {own.FORM}:
                torn.append(f"line {entry.number} was torn off while it was written, and is left out")
                continue
            for completion in _completions_in(entry, memory, self._key):
                self.forms[completion.form] += 1
                number = seen[completion.task_id] if completion.completion_id is None else completion.completion_id
                seen[completion.task_id] += 1
                yield dataclasses.replace(completion, completion_id=number)
        if not seen:
            left_out = "".join(f"; {note}" for note in _left_out_notes(memory))
            raise CompletionFileError("; ".join((f"{self._path}: no completions in it{left_out}", *faults)))
        self.notes = [*_left_out_notes(memory), *torn, *_invalid(entries), *faults, *memory.faults]


def _completions_in(entry: Entry, memory: Memory, key: str | None) -> Iterator[FileCompletion]:
    if isinstance(entry.content, Broken):
        raise entry.error(f"is not JSON: {entry.content.reason}")
    if key is not None and isinstance(entry.content, dict):
        if key not in entry.content:
            raise entry.error(_expected(entry.content, key))
        yield dataclasses.replace(completion_of(entry, entry.content, key), form=plain_rows.FORM)
        return
    form = next((name for name, reader in readers().items() if _recognises(reader, entry.content, memory)), None)
    if form is None:
        raise entry.error(_expected(entry.content, ", ".join(plain_rows.TEXT_KEYS)))
    for completion in readers()[form].read(entry, memory):
        yield dataclasses.replace(completion, form=form)


def _recognises(reader: Reader, content: Any, memory: Memory) -> bool:
    """Another package's reader that fails is named among the notes, and the next one is asked."""
    try:
        return reader.recognises(content)
    except ExtensionError as error:
        memory.faults[str(error)] = None
        return False


def _expected(content: Any, keys: str) -> str:
    """Why an entry holds no completion: what it is, and what was expected."""
    if not isinstance(content, dict):
        return f"is a {type(content).__name__}, expected an object, or a list of lists of texts"
    shown = [str(key) for key in content][:_KEYS_SHOWN]
    listed = ", ".join([*shown, "…"] if len(content) > _KEYS_SHOWN else shown) or "none"
    if {"results", "configs"} <= content.keys():
        return (
            f"has the keys {listed}: these are results of lm-evaluation-harness, and no completions; "
            "they are in samples_*.jsonl beside it, where --log_samples was given"
        )
    return f"has the keys {listed}; expected a text under {keys} (--key names another)"


def _invalid(entries: Entries) -> Iterator[str]:
    if entries.invalid:
        lines = f"{len(entries.invalid)} line{'s are' if len(entries.invalid) > 1 else ' is'} not valid UTF-8"
        yield f"{lines} (first: line {next(iter(entries.invalid))}); the bytes are kept as they are"


def _left_out_notes(memory: Memory) -> list[str]:
    return [f"left out: {reason} ({count})" for reason, count in memory.left_out.items()]


def _has_programs(folder: Path) -> bool:
    return any(program_folders.task_and_number(str(file)) for file in folder.glob("*_*/*.py"))


def _in_folder(folder: Path) -> list[Path]:
    for pattern in FOLDER_PATTERNS:
        if files := sorted(folder.glob(pattern)):
            return files
    raise CompletionFileError(f"{folder}: no completions in this folder, expected {' or '.join(FOLDER_PATTERNS)}")
