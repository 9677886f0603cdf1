"""Tests on inputs: what the canonical solution answers to each, and how long a program may take over it.

The canonical solution is run like any program, once; what it answers is kept in a file for the next time, its values as
the bytes that came. The time rule is EvalPlus's: one call may take four times as long as the canonical solution's, or
``least_s`` if that is longer.
"""

from __future__ import annotations

import contextlib
import marshal
import math
import os
import zlib
from itertools import groupby
from struct import Struct
from typing import TYPE_CHECKING, Any, NamedTuple

from . import agreement
from .agreement import Agreement
from .many_answers import Answer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .judged_program import Session

PARTS = ("base", "plus")
FORMAT = 3
"""Of the file that keeps the answers."""
SECONDS = Struct("<d")
"""Its first bytes: the CPU time that the canonical solution took over all inputs."""
_TIMES_CANONICAL = 4
_ACCEPTS = "accepts_inputs"


class Batch(NamedTuple):
    """Inputs that stand together and have the same limit of CPU time; ``start`` is the number of the first."""

    start: int
    inputs: list[list[Any]]
    limit_s: float


class Part(NamedTuple):
    """One list of inputs, with the canonical solution's answers, and whether each is equal to itself."""

    inputs: list[list[Any]]
    expected: list[Answer]
    same_bytes: list[bool]

    def batches(self, least_s: float) -> Iterator[Batch]:
        """Yield all inputs in their order; an empty part is one batch of nothing, for the function has to be there."""
        limits_s = [max(least_s, _TIMES_CANONICAL * answer.took_s) for answer in self.expected] or [least_s]
        start = 0
        for limit_s, group in groupby(limits_s):
            stop = start + len(list(group))
            yield Batch(start, self.inputs[start:stop], limit_s)
            start = stop


class InputTests(NamedTuple):
    """The tests of one problem. ``left_out`` is how many inputs are no tests, see :func:`made`."""

    entry_point: str
    rule: str
    tolerance: float
    parts: tuple[Part, ...]
    left_out: int

    @property
    def size_bytes(self) -> int:
        """Of all expected answers."""
        return sum(len(answer.content) for part in self.parts for answer in part.expected)

    @property
    def took_s(self) -> float:
        """What the canonical solution took over all inputs."""
        return sum(answer.took_s for part in self.parts for answer in part.expected)

    @property
    def solved(self) -> bool:
        """Whether the canonical solution passes. If it does not, every run is to say so."""
        return all(
            self._agreement(part).accepts(at, answer) for part in self.parts for at, answer in enumerate(part.expected)
        )

    def _agreement(self, part: Part) -> Agreement:
        return Agreement(self.rule, self.tolerance, part.inputs, part.expected, part.same_bytes)

    def check(self, part: Part, name: str, session: Session, least_s: float) -> None:
        """Ask a program for all answers of a part. Raises :class:`WrongAnswer` at the first that is wrong."""
        agrees = self._agreement(part)
        for batch in part.batches(least_s):
            for at, answer in enumerate(session.ask(self.entry_point, batch.inputs, batch.limit_s), batch.start):
                if at < len(part.inputs) and not session.readable(agrees.accepts, at, answer):
                    raise WrongAnswer(f"{name} input {at + 1} of {len(part.inputs)}")


class WrongAnswer(Exception):  # noqa: N818 - a program's failure, none of the judge's
    """The answer to one input is not the canonical solution's."""


def from_file(path: str) -> InputTests | None:
    """The tests as an earlier judge kept them; None if there are none. What can't be read is removed.

    It is this user's own file: no program could write it, so ``marshal`` may load it.
    """
    try:
        with open(path, "rb") as file:
            content = zlib.decompress(file.read()[SECONDS.size :])
        entry_point, rule, tolerance, parts, left_out = marshal.loads(content)
    except FileNotFoundError:
        return None
    except (OSError, EOFError, ValueError, TypeError, zlib.error):
        with contextlib.suppress(OSError):
            os.unlink(path)
        return None
    read = (Part(inputs, [Answer(*answer) for answer in expected], same) for inputs, expected, same in parts)
    return InputTests(entry_point, rule, tolerance, tuple(read), left_out)


def keep(tests: InputTests, path: str) -> None:
    """Write the tests for other judges. A folder that can't be written costs time and nothing else."""
    parts = tuple((part.inputs, [tuple(answer) for answer in part.expected], part.same_bytes) for part in tests.parts)
    content = marshal.dumps((tests.entry_point, tests.rule, tests.tolerance, parts, tests.left_out))
    new = f"{path}.{os.getpid()}"
    with contextlib.suppress(OSError):
        with open(new, "wb") as file:
            file.write(SECONDS.pack(tests.took_s) + zlib.compress(content, 1))
        os.replace(new, path)


def made(source: Mapping[str, Any], entry_point: str, session: Session) -> InputTests:
    """The tests with the answers of the canonical solution, which ``session`` has loaded.

    As in EvalPlus, an input that breaks the contract is a test like the others if the canonical solution has a right
    answer to it. If it raises, or its answer is wrong by the problem's own rule, the input is left out. So is an input
    for whose answer the memory of a program is too small.
    """
    parts, left_out = [], 0
    for name in PARTS:
        inputs = [list(arguments) for arguments in _value(source[name])]
        contract = source["contract"] if name == "plus" else ""
        kept = _with_right_answer(inputs, source, entry_point, session) if contract else inputs
        try:
            expected = list(session.ask(entry_point, kept, math.inf))
        except MemoryError:
            kept = [arguments for arguments in kept if _answer(arguments, entry_point, session)]
            expected = list(session.ask(entry_point, kept, math.inf))
        parts.append(Part(kept, expected, list(map(agreement.equals_itself, expected))))
        left_out += len(inputs) - len(kept)
    return InputTests(entry_point, source["rule"], source["tolerance"], tuple(parts), left_out)


def _value(expression: str) -> Any:
    """The value of a literal that may hold ``inf`` and ``nan``, as ``repr`` writes them."""
    names = {"__builtins__": {}, "inf": math.inf, "nan": math.nan, "set": set, "frozenset": frozenset}
    return eval(expression, names)  # noqa: S307 - the problem's own, as its tests are


def _with_right_answer(
    inputs: list[list[Any]], source: Mapping[str, Any], entry_point: str, session: Session
) -> list[list[Any]]:
    """The inputs that fulfil the contract, and those to which the canonical solution has a right answer anyway."""
    said = session.ask(_ACCEPTS, inputs, math.inf)
    within = [agreement.value_of(answer) is True for answer in said]

    def is_right(arguments: list[Any]) -> bool:
        expected = _answer(arguments, entry_point, session)
        agrees = Agreement(source["rule"], source["tolerance"], [arguments], expected, [False])
        return bool(expected) and agrees.accepts(0, expected[0])

    return [inputs[at] for at, fulfils in enumerate(within) if fulfils or is_right(inputs[at])]


def _answer(arguments: list[Any], entry_point: str, session: Session) -> list[Answer]:
    """The canonical solution's one answer; none if it raises."""
    try:
        return list(session.ask(entry_point, [arguments], math.inf))
    except Exception:  # noqa: BLE001 - whatever it raises
        return []
