"""Time limits that fit this machine: measured by running the canonical solutions."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from evalharness.records import DEFAULT_LANGUAGE, Verdict
from evalharness.sandbox.program import Job

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from evalharness.records import Execution, Problem
    from evalharness.sandbox.limits import Limits

YARDSTICKS = ("HumanEval/75", "HumanEval/147", "HumanEval/36", "HumanEval/32")
"""The slowest canonical solutions of HumanEval: how long they take tells how slow this machine is."""

NEEDS_IN_PROCESS = 'its tests need more than what crosses to the judge: give it "judged": "in_process"'
"""Said of a problem whose canonical solution passes in no other way."""

_ROOM_OVER_YARDSTICK = 10
"""The slowest yardstick takes 0.2 to 0.35 s where this was measured, idle or busy: well below the limit's first step of
0.5 s, so that the noise of a busy machine does not move the limit that the scorecard records."""
_ROOM_OVER_OWN = 10


@dataclass(frozen=True, slots=True)
class Calibration:
    """How long the canonical solutions took, and the limits of CPU time that follow.

    ``cpu_s`` is the limit for every problem but those in ``own_cpu_s``, whose own solutions need more time.
    ``sharing`` are the problems whose own solution passes if the tests share objects with it, and not otherwise.
    ``faults`` names each problem whose own solution does not pass here, with the verdict. ``in_process`` are those of
    them whose own solution passes if it is judged in process: their tests need more than what crosses.
    """

    cpu_s: float
    own_cpu_s: Mapping[str, float]
    problems: int
    faults: tuple[str, ...]
    in_process: frozenset[str] = frozenset()
    sharing: frozenset[str] = frozenset()

    def limit_s(self, task_id: str) -> float:
        """The limit of CPU time, in seconds, of a program for this problem."""
        return self.own_cpu_s.get(task_id, self.cpu_s)

    def limits(self, fast: Limits, task_id: str) -> Limits:
        """The limits of a program for this problem, where ``fast`` are those on a fast machine."""
        return fast.slower(self.limit_s(task_id) / fast.cpu_s)


def calibrate(
    run: Callable[[Iterable[Job]], Iterable[Execution]],
    base_s: float,
    problems: Sequence[Problem],
    yardsticks: Sequence[Problem],
) -> Calibration:
    """Run the canonical solutions of ``problems``, if they have one, and of ``yardsticks``.

    ``run`` judges jobs and is generous with time; ``base_s`` is the limit of CPU time on a fast machine.
    """
    own = {problem.task_id: problem for problem in problems if problem.canonical_solution.strip()}
    chosen = {**{problem.task_id: problem for problem in yardsticks}, **own}
    jobs = [Job(task_id, 0, problem, problem.canonical_solution) for task_id, problem in chosen.items()]
    executions = {execution.task_id: execution for execution in run(jobs)}
    slowest_s = max((executions[problem.task_id].cpu_s for problem in yardsticks), default=0.0)
    cpu_s = scaled(base_s, _ROOM_OVER_YARDSTICK * slowest_s)
    # Tests on inputs have a time rule of their own.
    sharing = _passing(run, [Job(p.task_id, 0, p, p.canonical_solution, shares=True) for p in _apart(own, executions)])
    executions |= sharing
    left = [replace(problem, judged="in_process") for problem in _apart(own, executions)]
    in_process = _passing(run, [Job(p.task_id, 0, p, p.canonical_solution) for p in left])
    failed = [own[t] for t in own if executions[t].verdict is not Verdict.PASSED]
    timed = [task_id for task_id, problem in own.items() if problem.inputs is None]
    own_cpu_s = {task_id: scaled(base_s, _ROOM_OVER_OWN * executions[task_id].cpu_s) for task_id in timed}
    return Calibration(
        cpu_s=cpu_s,
        own_cpu_s={task_id: limit_s for task_id, limit_s in own_cpu_s.items() if limit_s > cpu_s},
        problems=len(own),
        faults=tuple(_fault(executions[p.task_id], in_process) for p in failed),
        in_process=frozenset(in_process),
        sharing=frozenset(sharing),
    )


def scaled(base_s: float, needed_s: float) -> float:
    """``base_s`` doubled until it is at least ``needed_s``: in steps, so that the same machine gives the same limit."""
    return base_s * 2.0 ** max(0, math.ceil(math.log2(max(needed_s, base_s) / base_s)))


def _apart(own: Mapping[str, Problem], executions: Mapping[str, Execution]) -> list[Problem]:
    """The problems that have not passed and whose tests might pass in another way."""
    failed = (own[task_id] for task_id in own if executions[task_id].verdict is not Verdict.PASSED)
    in_python = (problem for problem in failed if problem.language == DEFAULT_LANGUAGE)
    return [problem for problem in in_python if problem.judged == "apart" and problem.inputs is None]


def _passing(run: Callable[[Iterable[Job]], Iterable[Execution]], jobs: Sequence[Job]) -> dict[str, Execution]:
    """The executions that passed, by their tasks."""
    executions = run(jobs) if jobs else ()
    return {each.task_id: each for each in executions if each.verdict is Verdict.PASSED}


def _fault(execution: Execution, in_process: Collection[str]) -> str:
    if execution.task_id in in_process:
        return f"{execution.task_id} ({NEEDS_IN_PROCESS})"
    return f"{execution.task_id} ({': '.join(filter(None, (execution.verdict, execution.detail)))})"
