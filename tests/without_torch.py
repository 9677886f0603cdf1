"""What needs no torch, by the installed command: run by tox on every further Python at hand, of which torch may lack.

The wheel is installed there with the packages that these commands import, and nothing else.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

RECORDS = Path(__file__).with_name("pair_records.tar.xz")
RIGHT, WRONG = "    return a + b\n", "    return a\n"
PROBLEM = {
    "task_id": "own/0",
    "prompt": "def add(a, b):\n",
    "entry_point": "add",
    "canonical_solution": RIGHT,
    "test": "def check(candidate):\n    assert candidate(1, 2) == 3\n",
}


def main() -> None:
    """Run each command in an empty folder, and look at what it leaves."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        evalharness(folder, "--version")
        judges(folder)
        reports(folder)
    print(f"Python {sys.version.split()[0]}: execute, analyse, report and view work")


def judges(folder: Path) -> None:
    (folder / "own.jsonl").write_text(json.dumps(PROBLEM) + "\n")
    texts = [RIGHT, WRONG]
    rows = [json.dumps({"task_id": "own/0", "completion": text}) + "\n" for text in texts]
    (folder / "c.jsonl").write_text("".join(rows))
    evalharness(folder, "execute", "c.jsonl", "--problems", "own.jsonl", "--k", "1")
    verdicts = [json.loads(line)["passed"] for line in (folder / "c.jsonl_results.jsonl").read_text().splitlines()]
    assert verdicts == [True, False], verdicts
    evalharness(folder, "analyse", "c.jsonl", "--problems", "own.jsonl")


def reports(folder: Path) -> None:
    with tarfile.open(RECORDS) as archive:
        archive.extractall(folder / "runs", filter="data")
    step = next((folder / "runs").rglob("scorecard.json")).parent
    before = sorted(step.glob("report.*"))
    for report in before:
        report.unlink()
    evalharness(folder, "report", str(step))
    assert (step / "report.html").stat().st_size > 0
    evalharness(folder, "view", str(step), "--no-open")


def evalharness(folder: Path, *arguments: str) -> None:
    """Run the command as a user does. Raises ``CalledProcessError`` where it fails."""
    command = Path(sys.executable).with_name("evalharness")
    own = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run([command, *arguments], cwd=folder, env=own, check=True)


if __name__ == "__main__":
    main()
