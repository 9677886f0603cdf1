"""A command that is ended by a signal leaves nothing behind, and goes on where it was when it is started again."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from signals import started
from small_folder import Run

MANY = ("--problems", "mine/own.jsonl", "--samples", "60", "--max-new-tokens", "24")


def evalharness(folder: Path, *arguments: object, **options) -> subprocess.Popen[str]:
    """The command, with a folder of its own for temporary files."""
    temporary = folder / "tmp"
    temporary.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "evalharness", *arguments]
    environment = {**os.environ, "TMPDIR": str(temporary)}
    piped = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    return started(command, cwd=folder, env=environment, **piped, **options)


def wait_until(happens, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 240
    while not happens() and time.monotonic() < deadline:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.01)


def lines_of(file: Path) -> int:
    return file.read_bytes().count(b"\n") if file.exists() else 0


MOMENTS = {
    "while the sandbox is entered": lambda folder: any((folder / "tmp").glob("evalharness-*")),
    "while programs run": lambda folder: lines_of(folder / "reports/mine/final/.journal/executions.jsonl") > 0,
    "while completions are made": lambda folder: lines_of(folder / "reports/mine/final/.journal/completions.jsonl") > 2,
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_command_that_is_terminated_leaves_no_temporary_file_and_no_process(
    run: Run, model_folder: Path, moment: str, golden_text
):
    folder = model_folder.parent
    process = evalharness(folder, "score", "mine/model.pt", *MANY, start_new_session=True)
    wait_until(lambda: MOMENTS[moment](folder), process)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 128 + signal.SIGTERM == 143
    golden_text(errors.splitlines()[-1])
    assert "Traceback" not in errors
    assert [path for path in (folder / "tmp").iterdir() if path.name.startswith("evalharness-")] == []
    assert list((folder / "reports").rglob("*.tmp")) == []
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)  # of its session nobody is left
    made = lines_of(folder / "reports/mine/final/.journal/completions.jsonl")
    again = run("score", "mine/model.pt", *MANY, "--limit", "1")
    assert again.returncode == 0, again.stderr
    assert made == 0 or re.search(r"\d+ kept", again.stderr)


def test_a_second_signal_does_not_keep_the_first_from_tidying_up(model_folder: Path):
    folder = model_folder.parent
    process = evalharness(folder, "score", "mine/model.pt", *MANY)
    wait_until(lambda: MOMENTS["while programs run"](folder), process)
    for _ in range(20):
        process.send_signal(signal.SIGTERM)
        time.sleep(0.005)
    process.communicate(timeout=120)
    assert process.returncode == 143
    assert list((folder / "tmp").glob("evalharness-*")) == []


def test_a_file_that_is_being_written_when_the_signal_comes_leaves_nothing_beside_it(tmp_path: Path):
    code = """
        import os, signal, sys
        from pathlib import Path
        from evalharness.runs.files import write_file
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        Path.chmod = lambda *arguments: os.kill(os.getpid(), signal.SIGTERM)  # it is written, and not yet in place
        write_file(Path(sys.argv[1]) / "report.md", "new")
    """
    (tmp_path / "report.md").write_text("old")
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code), tmp_path], check=False)
    assert done.returncode == 143
    assert [path.name for path in tmp_path.iterdir()] == ["report.md"]
    assert (tmp_path / "report.md").read_text() == "old"


def test_a_child_of_the_tests_can_be_interrupted_whatever_started_them():
    code = "import signal; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process = started([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    finally:
        signal.signal(signal.SIGINT, before)
    assert process.communicate()[0] == "True\n"
