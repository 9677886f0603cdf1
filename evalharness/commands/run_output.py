"""What ``evalharness run`` and ``watch`` print: one line a step, and where the report is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalharness.report import step_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalharness.pipeline import RunResult


def run_lines(result: RunResult) -> Iterator[str]:
    """Yield a line for each step, those that failed among them, and the path of the report."""
    yield from step_lines(result)
    if result.report is not None:
        yield f"report   {result.report}"


def step_lines(result: RunResult) -> Iterator[str]:
    """Yield a line for each step, those that failed among them."""
    failed = {failure.step: failure.reason for failure in result.failures}
    for step in sorted({*result.scorecards, *failed}):
        if step in failed:
            yield f"step {step:<8,} FAILED  {failed[step]}"
        else:
            kept = "  (kept)" if step in result.kept else ""
            yield f"step {step:<8,} {step_line(result.scorecards[step])}{kept}"
