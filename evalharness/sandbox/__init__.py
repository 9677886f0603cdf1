"""Running what a model wrote: each program in a process of its own behind walls, judged by one that it can't reach."""

from __future__ import annotations

from evalharness.sandbox.calibration import YARDSTICKS, Calibration
from evalharness.sandbox.clocks import usable_cores
from evalharness.sandbox.levels import DESCRIPTIONS, Isolation, Level
from evalharness.sandbox.limits import Limits
from evalharness.sandbox.program import Job
from evalharness.sandbox.runner import Sandbox, execute_one
from evalharness.sandbox.selftest import SelfTest, self_test

__all__ = [
    "DESCRIPTIONS",
    "YARDSTICKS",
    "Calibration",
    "Isolation",
    "Job",
    "Level",
    "Limits",
    "Sandbox",
    "SelfTest",
    "execute_one",
    "self_test",
    "usable_cores",
]
