"""Make all that the documentation shows of the shipped models: reports, the picture, and the cards.

python docs/make_examples.py --into FOLDER   # score the pair, and every step of the runs; goes on where it was stopped
python docs/make_examples.py --renew         # score nothing: make reports, picture and card from the records

The complete records of the runs are kept in ``tests/run_records.tar.xz``, those of the pair in
``tests/pair_records.tar.xz``; the tests read both. Unpack one to try ``evalharness compare`` or
``evalharness.load_run`` without scoring: ``tar xf tests/run_records.tar.xz``.
"""

from __future__ import annotations

import argparse
import io
import lzma
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "docs" / "examples"
ARCHIVE = ROOT / "tests" / "run_records.tar.xz"
PAIR_ARCHIVE = ROOT / "tests" / "pair_records.tar.xz"
README = ROOT / "README.md"
CARD_BEGINS, CARD_ENDS = "<!-- card: leaky -->\n", "<!-- end -->"
PAIR = ("leaky", "causal")
"""Scored as ``evalharness score`` does; only the report of that step is kept."""
RUNS = ("leaky_run", "causal_run", "collapsing_run", "taught_run")
"""Scored at every step; the report of the whole run is shown."""
SCORED_STEP = "step_1000"
STEP_SHOWN = (f"{SCORED_STEP}/report.md", f"{SCORED_STEP}/figures/*.svg", f"{SCORED_STEP}/scorecard.json")
RUN_SHOWN = ("report.md", "figures/*.svg", "run.json", "log.jsonl")
FOR_TEXT = {"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "lc": 4, "pb": 0, "nice_len": 273}
NOT_RECORDS = ("report.md", "*.html", "figures/*.svg", ".lock", ".turn.lock")


def main() -> None:
    """Score, or take the records that are kept; then keep the records, and what is shown of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    choice = parser.add_mutually_exclusive_group(required=True)
    choice.add_argument("--into", type=Path, help="score into this folder; what is scored there already is kept")
    choice.add_argument("--renew", action="store_true", help="score nothing; use the records in tests")
    arguments = parser.parse_args()
    if arguments.into:
        score(arguments.into)
        pack(arguments.into, RUNS, ARCHIVE)
        keep_pair(arguments.into)
    with tempfile.TemporaryDirectory() as temporary:
        write_run_reports(Path(temporary))
    with tempfile.TemporaryDirectory() as temporary:
        write_step_reports(Path(temporary))
    subprocess.run([sys.executable, str(ROOT / "docs" / "make_picture.py")], cwd=ROOT, check=True)
    README.write_text(with_card(README.read_text(encoding="utf-8")), encoding="utf-8")
    subprocess.run([sys.executable, str(ROOT / "docs" / "write_tables.py")], cwd=ROOT, check=True)


def with_card(readme: str) -> str:
    """The README with the card that its first command prints."""
    before, rest = readme.split(CARD_BEGINS)
    _, after = rest.split(CARD_ENDS)
    return f"{before}{CARD_BEGINS}```\n{printed_card('leaky')}\n```\n{CARD_ENDS}{after}"


def printed_card(name: str) -> str:
    """The command that scores a shipped checkpoint, and the card that it prints, from the committed scorecard."""
    from evalharness.report import render_card
    from evalharness.runs.scorecard_json import from_json

    card = from_json((EXAMPLES / name / SCORED_STEP / "scorecard.json").read_text(encoding="utf-8"))
    printed = str(render_card(card, f"reports/{name}/{SCORED_STEP}/report.md")).strip()
    return f"$ evalharness score checkpoints/{name}\n{printed}"


def write_run_reports(folder: Path) -> None:
    """Write the runs' reports in ``folder``, from the records alone: a report names those of steps beside it."""
    unpack(folder)
    keep_records(folder)
    pack(folder, RUNS, ARCHIVE)
    for name in RUNS:
        evalharness("report", str(folder / name))
        copy(RUN_SHOWN, folder / name, EXAMPLES / name)


def write_step_reports(folder: Path) -> None:
    """Write the reports of the pair in ``folder``, from the records alone."""
    unpack(folder, PAIR_ARCHIVE)
    for name in PAIR:
        (folder / name / "run.json").unlink()  # it has the questions of an earlier version's probes
        copy((f"{SCORED_STEP}/figures/passage.svg",), EXAMPLES / name, folder / name)  # its tokens may not be recorded
        evalharness("report", str(folder / name / SCORED_STEP))
        copy(STEP_SHOWN, folder / name, EXAMPLES / name)


def keep_pair(scored: Path) -> None:
    """Put the scored step of each of the pair into the records of it; its other steps stay."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        unpack(folder, PAIR_ARCHIVE)
        for name in PAIR:
            shutil.rmtree(folder / name / SCORED_STEP)
            shutil.copytree(scored / name / SCORED_STEP, folder / name / SCORED_STEP)
        pack(folder, PAIR, PAIR_ARCHIVE)


def score(folder: Path) -> None:
    """Score the pair, and every step of the runs, as a user would."""
    for name in PAIR:
        evalharness("score", f"checkpoints/{name}", "--out", str(folder), "--trust")
    for name in RUNS:
        evalharness("run", f"checkpoints/{name}", "--out", str(folder), "--trust")


def keep_records(folder: Path) -> None:
    """Read anew what the files of the runs say beside their scores."""
    from evalharness.pipeline.run_report import keep_records
    from evalharness.pipeline.series import steps_of
    from evalharness.progress import Silent
    from evalharness.settings.manifest import find_manifest

    for name in RUNS:
        place = Path("checkpoints", name)
        manifest = find_manifest(place)
        keep_records(folder / name, str(place), place, manifest, steps_of(place, manifest), (), Silent())


def evalharness(*arguments: str) -> None:
    """Run the command in the repository's folder."""
    subprocess.run([sys.executable, "-m", "evalharness", *arguments], cwd=ROOT, check=True)


def unpack(folder: Path, records: Path = ARCHIVE) -> None:
    """Unpack the records into ``folder``."""
    with tarfile.open(records) as archive:
        archive.extractall(folder, filter="data")


def pack(folder: Path, names: Sequence[str], target: Path) -> None:
    """Write the records of the runs of these names as one archive; the same records give the same bytes."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path in recorded(folder, names):
            data = path.read_bytes()
            member = tarfile.TarInfo(path.relative_to(folder).as_posix())
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    EXAMPLES.mkdir(parents=True, exist_ok=True)
    target.write_bytes(lzma.compress(content.getvalue(), filters=[FOR_TEXT]))


def recorded(folder: Path, names: Sequence[str]) -> list[Path]:
    """The files of the runs that are records: all but reports, figures, locks and journals."""
    files = [path for name in names for path in (folder / name).rglob("*") if path.is_file()]
    return sorted(
        path for path in files if ".journal" not in path.parts and not any(path.match(name) for name in NOT_RECORDS)
    )


def copy(patterns: Sequence[str], source: Path, target: Path) -> None:
    """Copy the files of ``source`` that match; one that is only in ``target`` stays there."""
    for path in (path for pattern in patterns for path in source.glob(pattern)):
        copied = target / path.relative_to(source)
        copied.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copied)


if __name__ == "__main__":
    main()
