"""From a file's bytes to its entries, one at a time: JSONL, JSON, compressed or not, in an archive or in folders."""

from __future__ import annotations

import gzip
import json
import shutil
import tarfile
import tempfile
import zlib
from typing import IO, TYPE_CHECKING, Any

from evalharness.completion_files.entry import Broken, Entry, ProgramFolders
from evalharness.errors import CompletionFileError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

GZIP = b"\x1f\x8b"
ZIP = b"PK\x03\x04"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Entries:
    """The entries of a file, read while they are iterated over.

    A line is never held longer than its entry; a JSON file is read whole. Bytes that are not UTF-8 become lone
    surrogates (PEP 383); the keys of ``invalid`` are the numbers of their lines. Raises :class:`CompletionFileError`
    where the file can't be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.invalid: dict[int, None] = {}

    def __iter__(self) -> Iterator[Entry]:
        try:
            if self._path.is_dir():
                yield self._of_programs(programs_in(self._path))
            else:
                with self._opened() as file:
                    yield from self._of_file(file)
        except (OSError, EOFError, zlib.error, tarfile.TarError) as error:
            reason = getattr(error, "strerror", None) or error
            raise CompletionFileError(f"{self._path}: can't be read: {reason}") from error

    def _opened(self) -> IO[bytes]:
        """The file, or a copy of what a pipe holds: a file is looked at before it is read, which a pipe allows once."""
        file = self._path.open("rb")
        if file.seekable():
            return file
        with file:
            copy = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
            shutil.copyfileobj(file, copy)
        copy.seek(0)
        return copy

    def _of_file(self, file: IO[bytes]) -> Iterator[Entry]:
        if tarfile.is_tarfile(file):
            with tarfile.open(fileobj=file) as archive:
                yield from self._of_archive(archive)
            return
        file.seek(0)
        is_compressed = file.read(len(GZIP)) == GZIP
        file.seek(0)
        # A name that ends in .gz promises it; then what is none is damaged.
        if is_compressed or self._path.suffix == ".gz":
            with gzip.open(file) as content:
                yield from self._entries(content)
        else:
            yield from self._entries(file)

    def _of_archive(self, archive: tarfile.TarFile) -> Iterator[Entry]:
        """The entries of the JSONL and JSON files in an archive, and its programs as those of a folder."""
        programs: dict[str, str] = {}
        for member in archive:
            file = archive.extractfile(member) if member.isfile() else None
            if file is not None and member.name.endswith((".jsonl", ".json")):
                yield from self._entries(file)
            elif file is not None and member.name.endswith(".py"):
                programs[member.name] = file.read().decode("utf-8", "surrogateescape")
        if programs:
            yield self._of_programs(programs)

    def _of_programs(self, programs: Mapping[str, str]) -> Entry:
        return Entry(self._path, 1, ProgramFolders(programs), "")

    def _entries(self, file: IO[bytes] | gzip.GzipFile) -> Iterator[Entry]:
        lines = ((n, line) for n, line in enumerate(file, 1) if line.strip().removeprefix(BYTE_ORDER_MARK))
        first = next(lines, None)
        if first is None:
            return
        if first[1].startswith(ZIP):
            yield Entry(self._path, 1, ZIP, "")
            return
        head = self._line(*first)
        rest: Iterable[tuple[int, bytes]] = lines
        if isinstance(head.content, (Broken, list)):
            rest = list(lines)
            whole = self._whole([first, *rest]) if rest else head.content
            if not isinstance(whole, Broken):
                yield from self._document_entries(whole)
                return
            if self._path.suffix == ".json":
                raise CompletionFileError(f"{self._path}: is not JSON: {whole.reason}")
        yield head
        for number, line in rest:
            yield self._line(number, line)

    def _line(self, number: int, line: bytes) -> Entry:
        content = _value(self._text(number, line))
        if isinstance(content, Broken):
            content = Broken(content.reason, torn=not line.endswith(b"\n"))
        return Entry(self._path, number, content)

    def _whole(self, lines: Iterable[tuple[int, bytes]]) -> Any:
        return _value("".join(self._text(number, line) for number, line in lines))

    def _document_entries(self, document: Any) -> Iterator[Entry]:
        """A list of objects is a JSONL in brackets; anything else is for a reader as a whole."""
        if isinstance(document, list) and document and all(isinstance(row, dict) for row in document):
            for number, row in enumerate(document, 1):
                yield Entry(self._path, number, row, "entry")
        else:
            yield Entry(self._path, 1, document, "")

    def _text(self, number: int, line: bytes) -> str:
        line = line.removeprefix(BYTE_ORDER_MARK) if number == 1 else line
        try:
            return line.decode("utf-8")
        except UnicodeDecodeError:
            self.invalid[number] = None
            return line.decode("utf-8", "surrogateescape")


def programs_in(folder: Path) -> dict[str, str]:
    """The texts of the programs in the folders of a folder, by their paths."""
    return {str(file): file.read_text("utf-8", "surrogateescape") for file in sorted(folder.glob("*_*/*.py"))}


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:  # no JSON, a number of too many digits, brackets nested too deeply
        return Broken(_reason(error), torn=False)


def _reason(error: Exception) -> str:
    """What is wrong and where. A row of a JSONL is one line, of which the column is enough."""
    if not isinstance(error, json.JSONDecodeError):
        return str(error)
    line = "" if error.lineno == 1 else f"line {error.lineno}, "
    return f"{error.msg} ({line}column {error.colno})"
