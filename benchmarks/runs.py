"""What a whole run costs: against one score, and when nothing is new. ``pages.py`` has the report of many checkpoints.

python benchmarks/runs.py            # 10 steps over warmup, about 10 minutes on two cores
python benchmarks/runs.py --steps 3  # a quick look
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FEW = ("--problems", "warmup", "--trust")


def seconds(*arguments: object, cwd: Path) -> float:
    begun = time.perf_counter()
    subprocess.run([sys.executable, *map(str, arguments)], cwd=cwd, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun


def series(folder: Path, steps: int) -> Path:
    """The causal checkpoint's adapters as a longer series: the real steps in turn, each with its own step number."""
    copy = folder / "tuned"
    shutil.copytree(ROOT / "checkpoints" / "causal", copy, ignore=shutil.ignore_patterns("lora_*"))
    adapters = sorted((ROOT / "checkpoints" / "causal").glob("lora_step*"))
    for number in range(steps):
        shutil.copytree(adapters[number % len(adapters)], copy / f"lora_step{(number + 1) * 100}")
    return copy


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=10)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tuned = series(folder, arguments.steps)
        command = ("-m", "evalharness")
        # One step in the middle, alone and in a folder of its own; before and after the run, for machines drift.
        alone = ("score", tuned, "--step", 100 * (arguments.steps // 2 + 1), *FEW)
        before = seconds(*command, *alone, "--out", "alone_before", cwd=folder)
        whole = seconds(*command, "run", tuned, *FEW, cwd=folder)
        after = seconds(*command, *alone, "--out", "alone_after", cwd=folder)
        again = min(seconds(*command, "run", tuned, *FEW, cwd=folder) for _ in range(3))
        start = min(seconds("-c", "pass", cwd=folder) for _ in range(3))
    one = (before + after) / 2
    print(f"one score, s                          {one:.1f} ({before:.1f} before, {after:.1f} after)")
    print(f"a run of {arguments.steps} steps, s                   {whole:.1f}")
    print(f"that many times one score             {whole / one:.2f}")
    print(f"a second run with nothing new, s      {again:.2f} ({start:.2f} of it the start of Python)")


if __name__ == "__main__":
    main()
