from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from evalharness.records import Problem
from evalharness.sandbox import Limits, Sandbox, execute_one

# Short enough to test, long enough for an interpreter to start on a loaded machine.
TIGHT = Limits(wall_s=4.0, cpu_s=0.6, memory_bytes=256 << 20, processes=12, output_bytes=200_000)


@pytest.fixture
def add():
    """The smallest problem with a test that a wrong answer fails."""
    return Problem(
        task_id="add",
        prompt="def add(a, b):\n",
        entry_point="add",
        canonical_solution="    return a + b\n",
        test="def check(candidate):\n    assert candidate(2, 3) == 5\n    assert candidate(-1, 1) == 0\n",
    )


@pytest.fixture
def run(add):
    """Run a body of ``add`` under tight limits."""

    def run_body(body, limits=TIGHT):
        return execute_one(add, "".join(f"    {line}\n" for line in body.splitlines()), limits)

    return run_body


@pytest.fixture
def temporary_root(tmp_path, monkeypatch):
    """An empty folder that the sandbox makes its own folder in."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def _processes_of(folder: Path) -> list[str]:
    """The command lines of living processes whose environment, working folder or arguments name ``folder``."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if not entry.name.isdecimal() or int(entry.name) == os.getpid():
                continue
            status = (entry / "stat").read_bytes().rpartition(b")")[2].split()[0]
            traces = (entry / "environ").read_bytes() + (entry / "cmdline").read_bytes()
            traces += os.fsencode((entry / "cwd").readlink())
        except OSError:
            continue
        if status not in (b"Z", b"X") and os.fsencode(folder) in traces:
            found.append(traces.decode(errors="replace"))
    return found


@pytest.fixture
def nothing_left(temporary_root):
    """After the test: no process and no file of any program remains."""
    yield temporary_root
    if sys.platform == "linux":
        assert _processes_of(temporary_root) == []
    assert list(temporary_root.iterdir()) == []


@pytest.fixture
def sandbox():
    with Sandbox(limits=TIGHT, workers=2) as sandbox:
        yield sandbox


@pytest.fixture
def processes_of():
    """The living processes whose environment, working folder or arguments name a folder."""
    return _processes_of
