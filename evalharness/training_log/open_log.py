"""A log's lines, one at a time: logs may be larger than memory likes, and may still be written."""

from __future__ import annotations

import codecs
import gzip
import io
import itertools
import re
import zlib
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Literal, TextIO, cast

from evalharness.errors import LogError
from evalharness.training_log.columns import is_named_validation, is_of_rewards, split_of
from evalharness.training_log.log_keys import NO_KEYS, LogKeys

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from evalharness.records import LossPoint
    from evalharness.training_log.columns import Columns, OwnNames

HEAD_LINES = 60
"""So many lines tell a log's form: banners and arguments that are printed first are shorter."""
HEAD_CHARACTERS = 65_536
"""No line of a head is read further: a trainer state may be one line."""
FIRST_BLOCK, BLOCK = 2**14, 2**18
"""Characters of the first lines that are read at once, which show what lines there are, and of all others."""
Sure = Literal["told", "name", "form"]
"""Why a name is taken for a step or a loss: the user said so, the name is known, or nothing else has that form."""
ESCAPE = re.compile(r"\x1b\[[\d;?]*[A-Za-z]|\x1b\][^\x07\x1b\n]*(?:\x07|\x1b\\)|\x1b")
"""What colours a terminal's text, moves its cursor or makes a link: nothing that a person reads."""
GZIP, PARQUET = b"\x1f\x8b", b"PAR1"
"""How packed text begins, which is read as it was before, and a Parquet table, which is no text."""
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


class UnplacedError(LogError):
    """A log has losses, read in one form, and no steps: it may have some in another."""


@dataclass(frozen=True, slots=True)
class OpenLog:
    """One log. Readers take ``lines`` and add to ``notes`` what a user has to know of how it was read.

    ``base_losses`` are validation losses of the model that training starts from, logged before it: their steps are of
    that model's own training.
    """

    path: Path
    notes: list[str] = field(default_factory=list)
    base_losses: list[LossPoint] = field(default_factory=list)
    keys: LogKeys = NO_KEYS
    understood: dict[tuple[str, str], Sure] = field(default_factory=dict)
    """How sure it is that a name has a role, by both."""
    in_bits_per_byte: list[str] = field(default_factory=list)
    """Losses that are left out until it is known how many bytes a token has."""

    def note(self, text: str) -> None:
        """Add a note, once."""
        if text not in self.notes:
            self.notes.append(text)

    def leave_out_bits(self, names: Iterable[str]) -> None:
        """Note losses in bits per byte, which are not converted yet."""
        self.in_bits_per_byte.extend(name for name in names if name not in self.in_bits_per_byte)
        left_out = ", ".join(self.in_bits_per_byte)
        self.note(
            f"{left_out}: bits per byte, converted if [log] bytes_per_token says how many bytes a token has, "
            "or if a score measures it on [data]"
        )

    def understand(self, plan: Columns, own: OwnNames) -> None:
        """Keep what the columns of a row were taken for."""
        by_form = {own.step, *own.losses.values()}
        roles = [("step", plan.step), *((split, key) for split, keys in plan.losses for key in keys)]
        for role, name in (*roles, *((("entropy", plan.entropy),) if plan.entropy else ())):
            sure: Sure = "told" if role in own.told else "form" if name in by_form else "name"
            self.understood.setdefault((role, name), sure)

    @property
    def name(self) -> str:
        """The file's name, as sources have it."""
        return self.path.name

    def head(self) -> Sequence[str]:
        """The first lines that are not blank, without their ends."""
        with self._opened() as file:
            lines = itertools.islice(iter(lambda: file.readline(HEAD_CHARACTERS), ""), HEAD_LINES)
            return [line for read in lines if (line := ESCAPE.sub("", read).strip())]

    def lines(self) -> Iterator[str]:
        r"""Every line with its end; the last has none where the log is being written, or ends without one.

        Lines end with ``\n`` alone, so that their numbers are those that editors show; a progress bar's ``\r`` does not
        end one.
        """
        with self._opened() as file:
            for line in file:
                yield ESCAPE.sub("", line) if "\x1b" in line else line

    def blocks(self) -> Iterator[str]:
        """The same lines, many at a time."""
        with self._opened() as file:
            size = FIRST_BLOCK
            while text := file.read(size):
                whole = text if text.endswith("\n") else text + file.readline()
                yield ESCAPE.sub("", whole) if "\x1b" in whole else whole
                size = BLOCK

    @contextmanager
    def _opened(self) -> Iterator[TextIO]:
        try:
            with self._unpacked() as file:
                start = file.read(4)
                file.seek(0)
                if start == PARQUET:
                    raise LogError(
                        f"{self.path}: is a Parquet table, expected text: write it as CSV, such as by "
                        "pandas.read_parquet(path).to_csv('log.csv', index=False)"
                    )
                # Windows shells write UTF-16 where output is sent to a file.
                encoding = next((name for mark, name in _MARKS if start.startswith(mark)), "utf-8")
                with io.TextIOWrapper(file, encoding, "replace", newline="\n") as text:
                    yield text
        except (OSError, EOFError, zlib.error) as error:
            raise LogError(f"{self.path}: can't be read: {getattr(error, 'strerror', None) or error}") from error

    def _unpacked(self) -> IO[bytes]:
        with self.path.open("rb") as file:
            is_packed = file.read(2) == GZIP
        return cast("IO[bytes]", gzip.open(self.path)) if is_packed else self.path.open("rb")


def lines_in(block: str) -> Iterator[str]:
    r"""The lines of a text, which end with ``\n`` alone."""
    return io.StringIO(block, newline="\n")


TORN = "the last line has no end, so its last number may be cut off: left out"
"""The note of readers that left such a number out."""


DECIMAL_COMMAS = "its numbers have decimal commas: 4,5 is read as 4.5"
"""The note of readers of tables that are written so."""


def note_unread(log: OpenLog, keys: Iterable[str]) -> None:
    """Note losses that are not read.

    Of validation sets by name there may be several, and none is *the* validation loss. Beside rewards stands the loss
    of a policy or of preferences.
    """
    names = set(keys)
    if log.keys.validation is None and (unread := sorted(filter(is_named_validation, names))):
        log.note(f"losses of validation sets by name are not read: {', '.join(unread)}; [log] validation names one")
    if any(map(is_of_rewards, names)) and (unread := sorted(filter(split_of, names))):
        log.notes.append(f"losses beside rewards are not read, they are not those of the tokens: {', '.join(unread)}")
