"""Running what a model wrote: one fresh interpreter for each program, limited, cleaned up after, and judged."""

from __future__ import annotations

from evalharness.sandbox.limits import Limits
from evalharness.sandbox.program import Job, program_fingerprint, program_for
from evalharness.sandbox.runner import Sandbox, execute_one, usable_cores
from evalharness.sandbox.selftest import SelfTest, self_test

__all__ = [
    "Job",
    "Limits",
    "Sandbox",
    "SelfTest",
    "execute_one",
    "program_fingerprint",
    "program_for",
    "self_test",
    "usable_cores",
]
