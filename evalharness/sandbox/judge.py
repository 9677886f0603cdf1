"""From what was seen of a program to its verdict. Pure."""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalharness.records import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from evalharness.sandbox.child import Ending
    from evalharness.sandbox.limits import Limits

LONGEST_DETAIL = 200
_READY = b"ready "
# Terminal escapes (ECMA-48: CSI, OSC and the two-character ones), then every control character and lone surrogate.
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -~])|\x9b[0-?]*[ -/]*[@-~]")
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]+")


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict with its one-line reason, which is empty for a pass."""

    verdict: Verdict
    detail: str
    peak_memory_bytes: int


def judge(ending: Ending, limits: Limits) -> Judgement:
    """The verdict of one program. Nothing but a report that carries the token makes it ``passed``."""
    ready, _, report = ending.report.partition(b"\n")
    peak_bytes = max(ending.peak_memory_bytes, _kib(ready.removeprefix(_READY)))
    if not ready.startswith(_READY):
        return Judgement(Verdict.NOT_JUDGED, _why_not_started(ending), peak_bytes)
    if ending.cause != "ended":
        return Judgement(*_LIMITS[ending.cause](limits), peak_bytes)
    if not report:
        return Judgement(*_without_report(ending, limits, peak_bytes), peak_bytes)
    token, kind, peak_kib, line, detail = [*report.split(b" ", 4), b"", b"", b"", b""][:5]
    if token != ending.token or report.find(b"\n") != len(report) - 1:
        return Judgement(Verdict.FAILED, "wrote into the harness's own pipe", peak_bytes)
    peak_bytes = max(peak_bytes, _kib(peak_kib))
    verdict, text = _reported(kind.decode(), clean(detail.decode("utf-8", "replace")), limits)
    if verdict is Verdict.PASSED and peak_bytes > limits.memory_bytes:
        # What was mapped before a limit was set is not held back by it, and a short program ends between two looks.
        return Judgement(*_LIMITS["memory"](limits), peak_bytes)
    where = f" (line {int(line)})" if int(line) else ""
    return Judgement(verdict, text + where, peak_bytes)


def clean(text: str) -> str:
    """One short line that is safe to print: no terminal escapes, no control characters, no change of direction."""
    text = _CONTROLS.sub(" ", _ESCAPES.sub("", text)).strip()
    return text if len(text) <= LONGEST_DETAIL else text[: LONGEST_DETAIL - 1] + "…"


_LIMITS: dict[str, Callable[[Limits], tuple[Verdict, str]]] = {
    "wall": lambda limits: (Verdict.TIMED_OUT, f"ran for more than {limits.wall_s:g} s"),
    "cpu": lambda limits: (Verdict.TIMED_OUT, f"used more than {limits.cpu_s:g} s of CPU time"),
    "memory": lambda limits: (Verdict.OUT_OF_MEMORY, f"used more than {limits.memory_bytes >> 20} MiB"),
    "processes": lambda limits: (Verdict.FAILED, f"started more than {limits.processes} processes"),
    "output": lambda limits: (Verdict.OUTPUT_LIMIT, f"printed more than {limits.output_bytes} bytes"),
    "channel": lambda _: (Verdict.FAILED, "wrote into the harness's own pipe"),
}


def _reported(kind: str, detail: str, limits: Limits) -> tuple[Verdict, str]:
    if kind == "passed":
        return Verdict.PASSED, ""
    if kind == "memory":
        return _LIMITS["memory"](limits)
    if kind == "exited":
        return Verdict.FAILED, "exited before the tests finished"
    return Verdict.FAILED, detail


def _without_report(ending: Ending, limits: Limits, peak_bytes: int) -> tuple[Verdict, str]:
    """It ended by itself and said nothing: a signal, or an exit that went round the interpreter's own."""
    if ending.exit_code >= 0:
        return Verdict.FAILED, f"exited before the tests finished (exit status {ending.exit_code})"
    number = -ending.exit_code
    if number == signal.SIGXCPU or (number == signal.SIGKILL and ending.cpu_s > limits.cpu_s):
        return _LIMITS["cpu"](limits)
    if number == signal.SIGKILL and peak_bytes > 0.9 * limits.memory_bytes:  # the kernel's own killer came first
        return _LIMITS["memory"](limits)
    return Verdict.CRASHED, _signal_name(number)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal has no name
        return f"signal {number}"


def _why_not_started(ending: Ending) -> str:
    said = clean(ending.messages.decode("utf-8", "replace").strip().partition("\n")[0])
    how = "in time" if ending.cause != "ended" else f"and ended with status {ending.exit_code}"
    return f"the interpreter did not start {how}" + (f": {said}" if said else "")


def _kib(digits: bytes) -> int:
    return int(digits) * 1024 if digits.isdigit() else 0
