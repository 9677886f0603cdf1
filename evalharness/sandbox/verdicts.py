"""From what a worker said of a program to the program's execution. Pure."""

from __future__ import annotations

import re
import signal
from typing import TYPE_CHECKING, Any

from evalharness.records import Execution, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from evalharness.sandbox.limits import Limits
    from evalharness.sandbox.program import Job

LONGEST_DETAIL = 200
# Terminal escapes (ECMA-48: CSI, OSC and the two-character ones), then every control character and lone surrogate.
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -~])|\x9b[0-?]*[ -/]*[@-~]")
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]+")
_NO_THREAD = "no_thread"
"""What a worker says of a program that failed because it could start no thread."""

_LIMITS: dict[str, Callable[[Limits], tuple[Verdict, str]]] = {
    "wall": lambda limits: (Verdict.TIMED_OUT, f"ran for more than {limits.wall_s:g} s"),
    "cpu": lambda limits: (Verdict.TIMED_OUT, f"used more than {limits.cpu_s:g} s of CPU time"),
    "memory": lambda limits: (Verdict.OUT_OF_MEMORY, f"used more than {limits.memory_bytes >> 20} MiB"),
    "output": lambda limits: (Verdict.OUTPUT_LIMIT, f"printed more than {limits.output_bytes} bytes"),
    "disk": lambda limits: (
        Verdict.FAILED,
        f"left more than {limits.disk_bytes >> 20} MiB or {limits.disk_files} files",
    ),
}


def execution(job: Job, reply: Mapping[str, Any], limits: Limits) -> Execution:
    """The execution of ``job``, of which a worker said ``reply``."""
    verdict, detail = _verdict(reply, limits)
    return Execution(
        task_id=job.task_id,
        completion_id=job.completion_id,
        verdict=verdict,
        detail=clean(detail),
        judged="not_run" if verdict is Verdict.NOT_JUDGED else job.problem.judged,
        wall_s=reply.get("wall_s", 0.0),
        cpu_s=reply.get("cpu_s", 0.0),
        peak_memory_bytes=reply.get("peak_memory_kib", 0) * 1024,
        random_seeds=reply.get("random_seeds", 0),
        base=_base(reply, verdict) if job.problem.inputs else None,
    )


def not_run(job: Job, verdict: Verdict, detail: str) -> Execution:
    """The execution of a job whose program was never started."""
    return Execution(job.task_id, job.completion_id, verdict, clean(detail), "not_run", 0.0, 0.0, 0)


def was_killed_from_outside(reply: Mapping[str, Any]) -> bool:
    """Whether a signal ended the program that no program can send itself and no limit sent."""
    return bool(reply.get("verdict") == "signal" and reply["exit_code"] == -signal.SIGKILL)


def was_refused_a_thread(reply: Mapping[str, Any]) -> bool:
    """Whether threads ran out, which on level C a neighbour can cause: the kernel counts them by user."""
    return reply.get("verdict") == _NO_THREAD


def clean(text: str) -> str:
    """One short line that is safe to print: no terminal escapes, no control characters, no change of direction."""
    text = _CONTROLS.sub(" ", _ESCAPES.sub("", text)).strip()
    return text if len(text) <= LONGEST_DETAIL else text[: LONGEST_DETAIL - 1] + "…"


def _verdict(reply: Mapping[str, Any], limits: Limits) -> tuple[Verdict, str]:
    said, detail = reply["verdict"], reply["detail"]
    if said == "cpu" and reply["cpu_s"] <= limits.cpu_s and "part" in reply:
        return (
            Verdict.TIMED_OUT,
            f"used more than {reply['call_s']:g} s of CPU time for one of the {reply['part']} inputs",
        )
    if said in _LIMITS:
        return _LIMITS[said](limits)
    if said == _NO_THREAD:
        return Verdict.FAILED, detail
    if said == "signal":
        return _of_signal(-reply["exit_code"], reply, limits)
    if said == "passed" and reply["cpu_s"] > limits.cpu_s:
        return _LIMITS["cpu"](limits)
    return Verdict(said), detail


def _base(reply: Mapping[str, Any], verdict: Verdict) -> Verdict:
    """The verdict on the base tests: passed if another part's was asked for, else that on the program."""
    return Verdict.PASSED if reply.get("part", "base") != "base" else verdict


def _of_signal(number: int, reply: Mapping[str, Any], limits: Limits) -> tuple[Verdict, str]:
    if number == signal.SIGXCPU or (number == signal.SIGKILL and reply["cpu_s"] > limits.cpu_s):
        return _LIMITS["cpu"](limits)
    if number == signal.SIGKILL and reply["peak_memory_kib"] * 1024 > limits.memory_bytes // 16:
        # Twice: it is the kernel's choice when the machine's memory is at its end.
        return Verdict.OUT_OF_MEMORY, "was killed when the machine had no memory left"
    return Verdict.CRASHED, _signal_name(number)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal has no name
        return f"signal {number}"
