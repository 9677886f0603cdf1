"""A published failure, made again: a code model without a causal mask, and a LoRA tuning over it.

    python studies/v2_lora/make.py --seed SEED --out OUT                # the small size: 2.4 million parameters
    python studies/v2_lora/make.py --seed SEED --out OUT --size full --device cuda

SEED is a folder with the write-up's ``tokenizer.json``, ``v2_train.jsonl`` and ``v2_val.jsonl``. Everything is made in
OUT: data, series, ``reports``, and at the end ``report.md``. Interrupted, the same command goes on.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(ROOT / "checkpoints"), str(ROOT)]

from sizes import SIZES, Size  # noqa: E402
from stages import SMOOTHING, Series, repair, train_base, tune, write_data  # noqa: E402

SCORED = ("--problems", "humaneval", "--problems", "warmup", "--limit", "20", "--samples", "2")
LIMITS = ("--max-new-tokens", "128", "--trust")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=Path, required=True, help="the folder with the write-up's data")
    parser.add_argument("--out", type=Path, required=True, help="where everything is made")
    parser.add_argument("--size", choices=sorted(SIZES), default="small")
    parser.add_argument("--device", default="cpu", help="where to train: cpu, cuda")
    parser.add_argument("--only", choices=("train", "score", "report"), help="do this part alone")
    arguments = parser.parse_args()
    out, size = arguments.out.resolve(), SIZES[arguments.size]
    if arguments.only in (None, "train"):
        train_all(arguments.seed, out, size, arguments.device)
    if arguments.only in (None, "score"):
        score_all(out)
    if arguments.only in (None, "report"):
        from report import write_report

        write_report(out, out)


def base_of(out: Path, name: str) -> Series:
    return Series(out / f"v1_{name}", name != "leaky", "v1_train.jsonl", "v1_val.jsonl", SMOOTHING)


def train_all(seed: Path, out: Path, size: Size, device: str) -> None:
    """Make the data and every series."""
    data = write_data(seed, out / "data", size)
    for name in ("leaky", "causal"):
        base = train_base(base_of(out, name), size, data, device)
        tuned = Series(out / f"v2_{name}", name != "leaky", "v2_train.jsonl", "v2_val.jsonl")
        tune(tuned, base, size, data, device)
        if name == "causal":
            few = Series(out / "v2_few", is_causal=True, train="few_train.jsonl", validation="v2_val.jsonl")
            tune(few, base, size, data, device)
        else:
            repair(base_of(out, "repaired"), base, size, data, device)


def score_all(out: Path) -> None:
    """Run every series, and compare the twins."""
    for folder in sorted(out.glob("v[12]_*")):
        evalharness("run", str(folder), "--out", str(out / "reports"), *SCORED, *LIMITS)
    for version in ("v1", "v2"):
        pair = [str(out / "reports" / f"{version}_{name}") for name in ("leaky", "causal")]
        compared = evalharness("compare", *pair)
        (out / "reports" / f"compare_{version}.md").write_text(compared, encoding="utf-8")


def evalharness(*arguments: str) -> str:
    """Run a command, and return what it prints."""
    command = [sys.executable, "-m", "evalharness", *arguments]
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    main()
