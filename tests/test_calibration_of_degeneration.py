"""The program that measures what the detector gets wrong, at a small size: it runs, and its claims hold there."""

import json
import re
import subprocess
import sys

from documentation import WORDS
from small_folder import ROOT


def test_a_small_calibration_finds_planted_loops_and_leaves_real_code_alone(tmp_path):
    sizes = ["--functions", "40", "--plants", "8", "--negatives", "20"]
    command = [sys.executable, "benchmarks/calibrate.py", *sizes, "--no-speed"]
    subprocess.run([*command, "--out", str(tmp_path)], cwd=ROOT, check=True, capture_output=True, timeout=900)
    result = json.loads((tmp_path / "calibration.json").read_text(encoding="utf-8"))
    assert result["functions"]["held out"] > 300
    assert result["functions"]["hard negatives"] == 66
    for condition in ("end not known", "ended by the model", "by tokens"):
        assert len(result["false positives"][condition]) <= 1
    for condition in ("cut at a limit", "by tokens, cut"):
        assert len([f for f in result["false positives"][condition] if f["corpus"] != "hard negatives"]) <= 1
    rows = [row for row in result["planted rates"] if not row["noisy"]]
    assert len(rows) == 21
    for row in rows:
        assert row["found"]["hits"] >= 0.9 * row["found"]["of"], row
    assert {row["seen by"] for row in rows} == {"words", "BPE", "text"}


def test_the_committed_result_is_what_the_documentation_promises():
    table = (ROOT / "docs" / "measured" / "calibration.md").read_text(encoding="utf-8")
    pooled = re.search(r"\*\*all reference code\*\* \| \d+ of ([\d,]+) = [\d.]+ % \(≤ ([\d.]+) %\)", table)
    assert pooled is not None
    assert int(pooled[1].replace(",", "")) >= 3_000
    assert float(pooled[2]) <= 0.1
    assert f"≤ {pooled[2]} %" in WORDS
