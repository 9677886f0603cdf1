"""The program that measures a GPU: at a tiny size it runs here."""

import json
import subprocess
import sys

import pytest
from small_folder import ROOT


@pytest.mark.slow
def test_the_program_that_measures_a_gpu_runs_at_a_tiny_size_on_the_cpu(tmp_path) -> None:
    out = tmp_path / "figures.json"
    command = [sys.executable, str(ROOT / "benchmarks" / "gpu.py"), "--tiny", "--out", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    figures = json.loads(out.read_text())
    assert figures["same_alone_and_in_batches"] == figures["completions"] == 8
    assert figures["tokens_per_s"] > 0
    assert figures["peak_gib"] is None
