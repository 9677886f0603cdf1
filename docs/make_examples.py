"""Make all that the documentation shows of the two shipped checkpoints: reports, the picture, and the cards.

python docs/make_examples.py            # score both checkpoints at every step, some 20 minutes on two cores
python docs/make_examples.py --renew    # score nothing: make the runs' reports, picture and card from the records

Both runs' complete records are kept in ``docs/examples/records.tar.xz``, which the tests read as well. Unpack it to try
``evalharness compare`` or ``evalharness.load_run`` without scoring anything: ``tar xf docs/examples/records.tar.xz``.
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
ARCHIVE = EXAMPLES / "records.tar.xz"
README = ROOT / "README.md"
CARD_BEGINS, CARD_ENDS = "<!-- card: leaky -->\n", "<!-- end -->"
NAMES = ("leaky", "causal")
SCORED_STEP = "step_1000"
"""The step that ``evalharness score`` takes; of the others only the records are kept."""
STEP_REPORT = (f"{SCORED_STEP}/report.md", f"{SCORED_STEP}/figures/*.svg")
SHOWN = ("report.md", "figures/*.svg", "run.json", "log.jsonl", f"{SCORED_STEP}/scorecard.json", *STEP_REPORT)
NOT_RECORDS = ("report.md", "*.html", "figures/*.svg", ".lock", ".turn.lock")


def main() -> None:
    """Score or unpack into a temporary folder, write the reports there, and keep what is shown and what is recorded."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--renew", action="store_true", help="score nothing; use the records in docs/examples")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        if arguments.renew:
            unpack(folder)
            keep_records(folder)
        else:
            score(folder)
        pack(folder)
        for name in NAMES:
            copy(STEP_REPORT, folder / name, EXAMPLES / name)
        write_run_reports(folder)
        for name in NAMES:
            copy(SHOWN, folder / name, EXAMPLES / name)
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
    """Write both runs' reports from their records. Each compares its run with the other, so both must be there."""
    for name in NAMES:
        for report in (folder / name).glob("step_*/report.md"):
            report.unlink()  # a run's report lists those that lie beside it, and only one is kept in the repository
        copy(STEP_REPORT, EXAMPLES / name, folder / name)
        evalharness("report", str(folder / name))


def score(folder: Path) -> None:
    """Score every step of both runs, as a user would."""
    for name in NAMES:
        evalharness("run", f"checkpoints/{name}", "--out", str(folder), "--trust")


def keep_records(folder: Path) -> None:
    """Read anew what the files of both runs say beside their scores."""
    from evalharness.pipeline.run_report import keep_records
    from evalharness.pipeline.series import steps_of
    from evalharness.progress import Silent
    from evalharness.settings.manifest import find_manifest

    for name in NAMES:
        place = Path("checkpoints", name)
        manifest = find_manifest(place)
        keep_records(folder / name, str(place), place, manifest, steps_of(place, manifest), (), Silent())


def evalharness(*arguments: str) -> None:
    """Run the command in the repository's folder."""
    subprocess.run([sys.executable, "-m", "evalharness", *arguments], cwd=ROOT, check=True)


def unpack(folder: Path) -> None:
    """Unpack both runs' records into ``folder``."""
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, filter="data")


def pack(folder: Path) -> None:
    """Write both runs' records as one archive; the same records give the same bytes."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path in recorded(folder):
            data = path.read_bytes()
            member = tarfile.TarInfo(path.relative_to(folder).as_posix())
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    EXAMPLES.mkdir(parents=True, exist_ok=True)
    ARCHIVE.write_bytes(lzma.compress(content.getvalue(), preset=9 | lzma.PRESET_EXTREME))


def recorded(folder: Path) -> list[Path]:
    """The files of both runs that are records: all but reports, figures, locks and journals."""
    files = [path for name in NAMES for path in (folder / name).rglob("*") if path.is_file()]
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
