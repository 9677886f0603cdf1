"""The program that lists the verdicts on real files of completions, at a small size."""

import subprocess
import sys

import pytest
from shared_data import shared_or_skip
from small_folder import ROOT


@pytest.mark.parametrize(("file", "verdict"), [("wizardcoder_gptq", "healthy"), ("codegen_350m", "healthy")])
def test_ordinary_models_are_not_accused(tmp_path, file, verdict):
    source = shared_or_skip(f"data/completions/{file}.jsonl.gz")
    (tmp_path / source.name).write_bytes(source.read_bytes())
    command = [sys.executable, "benchmarks/real_verdicts.py", str(tmp_path)]
    printed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=300).stdout
    *_, row = printed.splitlines()
    assert [cell.strip() for cell in row.strip("|").split("|")][:3] == [file, "164 greedy", verdict]
