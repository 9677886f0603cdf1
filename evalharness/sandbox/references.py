"""Where the tests on inputs are for a judge: what the canonical solution answers is made once and kept."""

from __future__ import annotations

import hashlib
import json
import platform
import struct
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalharness.degeneration.language import LANGUAGES
from evalharness.sandbox.inside import input_tests

if TYPE_CHECKING:
    from evalharness.records import Problem


@dataclass(frozen=True, slots=True)
class References:
    """``kept`` has a file for each problem whose canonical solution has answered; ``sources`` the inputs of the others.

    ``interpreter`` is everything about the interpreter that could change an answer.
    """

    kept: Path = Path()
    sources: Path = Path()
    interpreter: tuple[str, ...] = ()

    def of(self, problem: Problem) -> dict[str, str] | None:
        """What a judge is told of a problem's tests on inputs; None if it has none."""
        if problem.inputs is None:
            return None
        reference = self._reference(problem)
        source = self.sources / f"{reference.name}.json"
        if not reference.exists() and not source.exists():
            source.write_text(json.dumps(_source(problem)), encoding="utf-8")
        return {"reference": str(reference), "source": str(source)}

    def has(self, problem: Problem) -> bool:
        """Whether the canonical solution of a problem need not be run."""
        return self._reference(problem).exists()

    def seconds(self, problem: Problem) -> float:
        """What the canonical solution took over all inputs, in CPU time; 0 where that is not known."""
        if problem.inputs is None:
            return 0.0
        try:
            with self._reference(problem).open("rb") as file:
                took_s: float = input_tests.SECONDS.unpack(file.read(input_tests.SECONDS.size))[0]
        except (OSError, struct.error):
            return 0.0
        return took_s

    def _reference(self, problem: Problem) -> Path:
        return self.kept / f"{_digest(problem, self.interpreter)}.answers"


@cache
def _digest(problem: Problem, interpreter: tuple[str, ...]) -> str:
    """Of all that the file depends on. The times in it are this machine's."""
    everything = [input_tests.FORMAT, platform.node(), platform.python_version(), *interpreter, _source(problem)]
    return hashlib.sha256(json.dumps(everything).encode()).hexdigest()


def _source(problem: Problem) -> dict[str, Any]:
    assert problem.inputs is not None  # noqa: S101 - for the type checker
    solution = LANGUAGES[problem.language].solution(problem.prompt, problem.canonical_solution)
    return {**asdict(problem.inputs), "program": f"{solution}\n{problem.inputs.contract}"}
