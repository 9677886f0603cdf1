"""From a finished training to a result: manifest lines and seconds for checkpoints of any project, as they are.

python benchmarks/projects.py nanoGPT=../nanoGPT::out/ckpt.pt "own loop=../mine::runs" -- --problems warmup --limit 10

``NAME=FOLDER::CHECKPOINT``: each is scored once, by the command that a user types in the project's folder. Measured are
the seconds to the first line of the card, the start of Python among them, the processor time of the whole command with
its workers, which other work on the machine hardly changes, and the lines of the manifest that the score used (no blank
ones, no comments). The scorecard says which losses were found. Run it where the project's packages are.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tables import table

from evalharness.runs import paths, scorecard_json
from evalharness.settings.manifest import find_manifest

HEAD = (
    "project",
    "manifest lines",
    "seconds to the first line",
    "of processor time",
    "loss logged",
    "recomputed",
    "first cause",
)


def main() -> None:
    """Print a row for each checkpoint."""
    named, options = _arguments(sys.argv[1:])
    with tempfile.TemporaryDirectory() as out:
        rows = [row(name, place, options, Path(out) / str(i)) for i, (name, place) in enumerate(named)]
    print(table(HEAD, rows))


def row(name: str, place: str, options: list[str], out: Path) -> tuple[str, ...]:
    """Score one checkpoint, and say what is found of it."""
    folder, _, checkpoint = place.partition("::")
    before_s = processor_s()
    seconds = seconds_to_first_line(Path(folder), checkpoint, [*options, "--out", str(out)])
    of_processor_s = processor_s() - before_s
    (scored,) = (card.parent for card in out.rglob(paths.SCORECARD))
    card = scorecard_json.read(scored)
    logged, again = card.loss.logged_nats, card.loss.recomputed_nats
    return (
        name,
        str(manifest_lines(Path(folder) / checkpoint)),
        f"{seconds:.0f}",
        f"{of_processor_s:.0f}",
        "–" if logged is None else f"{logged:.4f}",
        "–" if again is None else f"{again.estimate:.4f} [{again.low:.4f}, {again.high:.4f}]",
        "none" if card.cause is None else card.cause.probe,
    )


def seconds_to_first_line(folder: Path, checkpoint: str, options: list[str]) -> float:
    """Seconds from the start of ``evalharness score`` to the first line of its card. Raises SystemExit if it fails."""
    command = [sys.executable, "-m", "evalharness", "score", checkpoint, "--trust", *options]
    begun = time.perf_counter()
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as process:
        first = process.stdout.readline() if process.stdout else ""
        seconds = time.perf_counter() - begun
    if not first or process.returncode not in {0, 1}:
        raise SystemExit(f"{' '.join(command)} in {folder}: exit code {process.returncode}")
    return seconds


def processor_s() -> float:
    """Seconds that all processes that were started here, and have ended, took of any core."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def manifest_lines(checkpoint: Path) -> int:
    """Lines of the manifest of a checkpoint that say something; 0 without one."""
    path = find_manifest(checkpoint).path
    lines = [] if path is None else path.read_text(encoding="utf-8").splitlines()
    return sum(bool(line.strip()) and not line.lstrip().startswith("#") for line in lines)


def _arguments(given: list[str]) -> tuple[list[tuple[str, str]], list[str]]:
    """Names and places, and what stands after ``--``."""
    end = given.index("--") if "--" in given else len(given)
    pairs = [text.partition("=")[::2] for text in given[:end]]
    if not pairs or not all("::" in place for _, place in pairs):
        raise SystemExit(__doc__)
    return pairs, given[end + 1 :]


if __name__ == "__main__":
    main()
