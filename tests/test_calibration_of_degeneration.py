"""The program that measures what the detector gets wrong, at a small size: it runs, and its claims hold there."""

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_a_small_calibration_finds_planted_loops_and_leaves_real_code_alone(tmp_path):
    command = [sys.executable, "benchmarks/calibrate.py", "--functions", "60", "--plants", "12", "--no-speed"]
    subprocess.run([*command, "--out", str(tmp_path)], cwd=ROOT, check=True, capture_output=True, timeout=900)
    result = json.loads((tmp_path / "calibration.json").read_text(encoding="utf-8"))
    assert result["functions"]["held out"] > 500
    for condition in ("end not known", "ended by the model"):
        assert len(result["false positives"][condition]) <= 2
    rows = re.findall(
        r"^\| (\w+) \| (exact|–) \| (\w+) \| \d+ \| ([\d.]+) %", (tmp_path / "calibration.md").read_text(), re.MULTILINE
    )
    assert len(rows) == 14
    for kind, _, seen_by, found in rows:
        assert float(found) >= 90, (kind, seen_by)


def test_the_committed_result_keeps_what_the_readme_promises():
    table = (ROOT / "reports" / "calibration.md").read_text(encoding="utf-8")
    pooled = re.search(r"\*\*all reference code\*\* \| \d+ of ([\d,]+) = [\d.]+ % \(≤ ([\d.]+) %\)", table)
    assert pooled is not None
    assert int(pooled[1].replace(",", "")) >= 3_000
    assert float(pooled[2]) <= 0.1
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"≤ {pooled[2]} %" in readme
