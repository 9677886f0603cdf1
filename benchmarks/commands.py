"""How long the commands take that everybody types: ``evalharness --help``, ``import evalharness``, the first score.

python benchmarks/commands.py            # help and import
python benchmarks/commands.py --score    # and the README's first command after the install, into a new folder
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REPETITIONS = 11


def seconds(command: list[str], cwd: Path | None = None) -> float:
    begun = time.perf_counter()
    subprocess.run(command, cwd=cwd, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun


def median_seconds(command: list[str]) -> float:
    return statistics.median(seconds(command) for _ in range(REPETITIONS))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--score", action="store_true", help="score checkpoints/leaky, too")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    loads_torch = "import evalharness, sys; print('torch' in sys.modules)"
    found = {
        "python alone, s": median_seconds([sys.executable, "-c", "pass"]),
        "evalharness --help, s": median_seconds([sys.executable, "-m", "evalharness", "--help"]),
        "import evalharness, s": median_seconds([sys.executable, "-c", "import evalharness"]),
        "import evalharness imports torch": subprocess.check_output(
            [sys.executable, "-c", loads_torch], text=True
        ).strip(),
    }
    if arguments.score:
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "evalharness", "score", "checkpoints/leaky", "--out", folder]
            found["evalharness score checkpoints/leaky, s"] = seconds(command, cwd=ROOT)
    if arguments.json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        print(f"{name:<42} {value if isinstance(value, str) else format(value, '.3f')}")


if __name__ == "__main__":
    main()
