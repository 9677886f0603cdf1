"""How a problem and a completion become a program."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from evalharness.degeneration.language import LANGUAGES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evalharness.degeneration.language import Language
    from evalharness.records import Problem
    from evalharness.sandbox.limits import Limits


@dataclass(frozen=True, slots=True)
class Job:
    """One completion to run: ``text`` is what the model wrote after ``problem.prompt``, or, ``whole``, all of it.

    ``shares``: the tests share objects with the program, because plain values are not enough for them.
    """

    task_id: str
    completion_id: int
    problem: Problem
    text: str
    whole: bool = False
    shares: bool = False

    @property
    def _language(self) -> Language:
        return LANGUAGES[self.problem.language]

    @property
    def solution(self) -> str:
        """What is judged: the program without its tests."""
        return self._language.solution(self.problem.prompt, self.text, whole=self.whole)

    @property
    def program(self) -> str:
        """The program with its tests.

        It is run as it stands only for problems that are judged in process; for all others it shows which jobs are
        equal.
        """
        return self._language.program(self.solution, self.problem.test, self.problem.entry_point)

    @property
    def fingerprint(self) -> str:
        """A digest (64 hex digits) of everything that decides the verdict: equal digests are run once."""
        problem = self.problem
        everything = [self.program, self.solution, problem.prompt, problem.canonical_solution, problem.judged]
        if self.shares:
            everything.append("shares")
        if problem.inputs is not None:
            everything.append(repr(problem.inputs))
        return hashlib.sha256("\0".join(everything).encode("utf-8", "surrogatepass")).hexdigest()

    @property
    def size_bytes(self) -> int:
        """Of the program with its tests."""
        return len(self.program.encode("utf-8", "surrogatepass"))


def message(
    job: Job, limits: Limits, *, careful: bool, inputs: Mapping[str, str] | None = None, interpreter: str = ""
) -> dict[str, Any]:
    """What a worker is told of a job. ``careful``: the source is not to be compiled where it could crash the judge.

    ``inputs`` says where tests on inputs are, ``interpreter`` which one runs a program that is not Python.
    """
    problem = job.problem
    return {
        "prompt": problem.prompt,
        "test": problem.test,
        "entry_point": problem.entry_point,
        "solution": replace(job, text=problem.canonical_solution, whole=False).solution,
        "judged": problem.judged,
        "shares": job.shares,
        "interpreter": interpreter,
        "program": job.solution if problem.judged == "apart" else job.program,
        "careful": careful,
        "cpu_s": limits.cpu_s,
        "inputs": inputs,
        "least_s": limits.call_s,
    }
