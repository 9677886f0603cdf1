"""Whether this machine judges as it should, on a few programs whose verdicts are known."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalharness.records import Verdict
from evalharness.sandbox.program import Job

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalharness.records import Problem
    from evalharness.sandbox.runner import Sandbox

_CANONICAL, _EMPTY = 0, 1


@dataclass(frozen=True, slots=True)
class SelfTest:
    """What came out: how many canonical solutions passed, how many empty bodies failed, and a line for each other."""

    problems: int
    canonical_passed: int
    empty_failed: int
    faults: tuple[str, ...]
    wall_s: float

    @property
    def sound(self) -> bool:
        """There was something to judge, and every verdict was right."""
        return self.problems > 0 and not self.faults


def self_test(sandbox: Sandbox, problems: Sequence[Problem]) -> SelfTest:
    """Run the canonical solution and an empty body of each of ``problems`` in an entered ``sandbox``."""
    jobs = [Job(p.task_id, _CANONICAL, p, p.canonical_solution) for p in problems]
    jobs += [Job(p.task_id, _EMPTY, p, "") for p in problems]
    expected = {_CANONICAL: Verdict.PASSED, _EMPTY: Verdict.FAILED}
    started_s = time.monotonic()
    executions = list(sandbox.run(jobs))
    right = [e for e in executions if e.verdict is expected[e.completion_id]]
    names = {_CANONICAL: "canonical solution", _EMPTY: "empty body"}
    return SelfTest(
        problems=len(problems),
        canonical_passed=sum(e.completion_id == _CANONICAL for e in right),
        empty_failed=sum(e.completion_id == _EMPTY for e in right),
        faults=tuple(
            f"{e.task_id}: the {names[e.completion_id]} was judged {e.verdict}{e.detail and ': '}{e.detail}"
            for e in executions
            if e.verdict is not expected[e.completion_id]
        ),
        wall_s=time.monotonic() - started_s,
    )
