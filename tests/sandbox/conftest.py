from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from evalharness.records import Problem
from evalharness.sandbox import Job, Limits, Sandbox

# Short enough to test, long enough for a loaded machine.
TIGHT = Limits(wall_s=3.0, cpu_s=0.6, memory_bytes=256 << 20, disk_bytes=8 << 20, disk_files=200, output_bytes=200_000)


@pytest.fixture(scope="session")
def tight():
    return TIGHT


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


@pytest.fixture(scope="module")
def sandboxes(tmp_path_factory):
    """An entered sandbox of one worker for some limits, kept for the module: starting one takes 0.2 s.

    After the module no process and no file of any program remains.
    """
    if sys.platform != "linux":
        pytest.skip("programs can't be isolated on this system")
    root, before = tmp_path_factory.mktemp("sandboxes"), _descendants(os.getpid())
    kept: dict[Limits, Sandbox] = {}

    def sandbox_for(limits):
        if limits not in kept:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("tempfile.tempdir", str(root))
                kept[limits] = Sandbox(limits=limits, workers=1, deduplicate=False).__enter__()
        return kept[limits]

    yield sandbox_for
    for sandbox in kept.values():
        sandbox.__exit__(None, None, None)
    assert _descendants(os.getpid()) <= before
    assert list(root.iterdir()) == []


@pytest.fixture
def execute(sandboxes):
    """Run one completion of a problem, under tight limits if no others are given."""

    def execute_text(problem, text, limits=TIGHT):
        return next(sandboxes(limits).run([Job(problem.task_id, 0, problem, text)]))

    return execute_text


@pytest.fixture
def run(add, execute):
    """Run a body of ``add``, under tight limits if no others are given."""

    def run_body(body, limits=TIGHT):
        return execute(add, "".join(f"    {line}\n" for line in body.splitlines()), limits)

    return run_body


@pytest.fixture
def sandbox():
    with Sandbox(limits=TIGHT, workers=2) as sandbox:
        yield sandbox


@pytest.fixture
def temporary_root(tmp_path, monkeypatch):
    """An empty folder that the sandbox makes its own folder in."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture
def nothing_left(temporary_root):
    """After the test: no process and no file of any sandbox that it made remains."""
    before = _descendants(os.getpid())
    yield temporary_root
    assert _descendants(os.getpid()) <= before
    assert list(temporary_root.iterdir()) == []


def _living() -> dict[int, tuple[int, int]]:
    """Of each living process: its parent, and when it began (in ticks since the machine's start)."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                state, parent, *rest = (entry / "stat").read_bytes().rpartition(b")")[2].split()
            except OSError:
                continue
            if state not in (b"Z", b"X"):
                found[int(entry.name)] = int(parent), int(rest[17])
    return found


def _descendants(pid: int) -> set[tuple[int, int]]:
    """The living processes below ``pid``, each with when it began: together they are never given again."""
    living, found = _living(), [pid]
    for member in found:  # grows while it is walked
        found.extend(child for child, (parent, _) in living.items() if parent == member)
    return {(member, living[member][1]) for member in found[1:]}


@pytest.fixture
def descendants():
    """The living processes below a process, each with when it began."""
    return _descendants


@pytest.fixture
def still_living():
    """Which of some processes, each given with when it began, are living."""

    def of(processes):
        living = _living()
        return {(pid, began) for pid, began in processes if living.get(pid, (0, -1))[1] == began}

    return of


@pytest.fixture
def wait_for():
    """Return as soon as a condition holds; fail where it does not come to hold."""

    def wait(condition, timeout_s=20.0):
        deadline_s = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline_s
            time.sleep(0.02)

    return wait
