"""How long the commands take that everybody types: ``--help``, ``import evalharness``, a first score, a diagnosis.

python benchmarks/commands.py            # help and import
python benchmarks/commands.py --score    # and the README's first command after the install, into a new folder
python benchmarks/commands.py --gate     # and repeated checks of an unchanged checkpoint, and the plugin's share
python benchmarks/commands.py --diagnose # and diagnose and preflight of both shipped checkpoints, nothing kept before
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


def seconds(command: list[str], cwd: Path | None = None, *, check: bool = True) -> float:
    begun = time.perf_counter()
    done = subprocess.run(command, cwd=cwd, check=check, stdout=subprocess.DEVNULL)
    if done.returncode not in {0, 1}:  # a check that does not hold is measured, a command that is wrong is not
        raise SystemExit(f"{' '.join(command)}: exit code {done.returncode}")
    return time.perf_counter() - begun


def median_seconds(command: list[str]) -> float:
    return statistics.median(seconds(command) for _ in range(REPETITIONS))


def diagnoses() -> dict[str, float]:
    """Seconds from typing the command to its end, the start of Python among them."""
    found = {}
    for name in ("leaky", "causal"):
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "evalharness", "diagnose", f"checkpoints/{name}", "--out", folder]
            found[f"evalharness diagnose checkpoints/{name}, s"] = seconds(command, cwd=ROOT)
        command = [sys.executable, "-m", "evalharness", "preflight", f"checkpoints/{name}"]
        found[f"evalharness preflight checkpoints/{name}, s"] = seconds(command, cwd=ROOT, check=name == "causal")
    found["evalharness.preflight(model, batch), s"] = float(
        subprocess.check_output([sys.executable, "-c", PREFLIGHT], cwd=ROOT, text=True).split()[-1]
    )
    return found


def repeated_checks() -> dict[str, float]:
    """Seconds that a check costs beyond Python's start, or pytest's, once the checkpoint was scored."""
    checkpoint = ROOT / "checkpoints" / "causal"
    score = {"problems": "warmup", "limit": "20", "samples": "1", "max-new-tokens": "64"}
    with tempfile.TemporaryDirectory() as folder:
        here, out = Path(folder), {**score, "out": str(Path(folder) / "reports")}
        options = [text for name, value in out.items() for text in (f"--{name}", value)]
        gate = [
            sys.executable,
            "-m",
            "evalharness",
            "gate",
            str(checkpoint),
            "--max-loop-rate",
            "0.99",
            "--trust",
            *options,
        ]
        pytest = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        own = [f"--evalharness-{name}={value}" for name, value in out.items()]
        checks = [*pytest, f"--evalharness-checkpoint={checkpoint}", "--evalharness-trust", *own]
        checks.append("--evalharness-checks=loss_is_honest,ends_by_itself")
        found = {"evalharness gate, the first time, s": seconds(gate, here, check=False)}
        (here / "test_nothing.py").write_text("def test(): pass")
        rounds = {
            "python alone, s": [sys.executable, "-c", "pass"],
            "evalharness gate, repeated, s": gate,
            "pytest alone, s": pytest,
            "pytest with two checks, repeated, s": checks,
        }
        taken: dict[str, list[float]] = {name: [] for name in rounds}
        for _ in range(REPETITIONS):  # in turns, so that what else runs on the machine is the same for all
            for name, command in rounds.items():
                taken[name].append(seconds(command, here, check=False))
    found |= {name: statistics.median(times) for name, times in taken.items()}
    loaded = [subprocess.check_output([sys.executable, "-c", PLUGIN], text=True) for _ in range(REPETITIONS)]
    return {**found, "the plugin's share of pytest's start, s": statistics.median(map(float, loaded))}


PLUGIN = """
import time, pytest
parser = pytest.Parser(_ispytest=True)
begun = time.perf_counter()
import evalharness.plugin.hooks
evalharness.plugin.hooks.pytest_addoption(parser)
print(time.perf_counter() - begun)
"""


PREFLIGHT = """
import sys, time, torch
sys.path.insert(0, "checkpoints/causal")
import evalharness, model
module, rows = model.build(), torch.randint(0, 1024, (16, 257))
begun = time.perf_counter()
evalharness.preflight(module, (rows[:, :-1], rows[:, 1:]))
print(time.perf_counter() - begun)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--score", action="store_true", help="score checkpoints/leaky, too")
    parser.add_argument("--gate", action="store_true", help="repeated checks, and what the pytest plugin adds, too")
    parser.add_argument("--diagnose", action="store_true", help="diagnose and preflight the pair, too")
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
    if arguments.gate:
        found |= repeated_checks()
    if arguments.diagnose:
        found |= diagnoses()
    if arguments.json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        print(f"{name:<42} {value if isinstance(value, str) else format(value, '.3f')}")


if __name__ == "__main__":
    main()
