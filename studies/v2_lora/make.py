"""A published failure, made again: a code model without a causal mask, and a LoRA tuning over it.

    python studies/v2_lora/make.py --seed SEED --out OUT                # the small size: 2.4 million parameters
    python studies/v2_lora/make.py --seed SEED --out OUT --size full --device cuda

SEED is a folder with the write-up's ``tokenizer.json``, ``v2_train.jsonl``, ``v2_val.jsonl``, ``v1_log.jsonl`` and
``v1_token_completions.jsonl``. Everything is made in OUT: data, series, ``reports``, and at the end ``report.md`` with
its figures. Interrupted, the same command goes on.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(ROOT / "checkpoints"), str(ROOT)]

from original import examine  # noqa: E402
from series import SERIES, STEPS, has_mask  # noqa: E402
from sizes import SIZES, Size  # noqa: E402
from stages import SMOOTHING, Series, repair, train_base, tune, tune_whole, write_data  # noqa: E402

PROTOCOL = ("--problems", "humaneval,warmup", "--limit", "10", "--samples", "2", "--trust")
LIMIT = ("--max-new-tokens", "64")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=Path, required=True, help="the folder with the write-up's data")
    parser.add_argument("--out", type=Path, required=True, help="where everything is made")
    parser.add_argument("--size", choices=sorted(SIZES), default="small")
    parser.add_argument("--device", default="cpu", help="where to train: cpu, cuda")
    parser.add_argument("--only", choices=("train", "score", "report"), help="do this part alone")
    parser.add_argument("--report", type=Path, help="where the report is written (OUT unless given)")
    arguments = parser.parse_args()
    out, size = arguments.out.resolve(), SIZES[arguments.size]
    if arguments.only in (None, "train"):
        train_all(arguments.seed, out, size, arguments.device)
    if arguments.only in (None, "score"):
        examine(arguments.seed.resolve(), out / "original", evalharness)
        score_all(out)
    if arguments.only in (None, "report"):
        from report import write_report

        write_report(out, arguments.report or out)


def base_of(out: Path, name: str) -> Series:
    return Series(out / name, has_mask(name), "v1_train.jsonl", "v1_val.jsonl", SMOOTHING)


def tuning_of(out: Path, name: str, train: str, validation: str = "v2_val.jsonl") -> Series:
    return Series(out / name, has_mask(name), train, validation)


def train_all(seed: Path, out: Path, size: Size, device: str) -> None:
    """Make the data and every series."""
    data = write_data(seed, out / "data", size)
    for name in ("leaky", "causal"):
        base = train_base(base_of(out, f"v1_{name}"), size, data, device)
        tune(tuning_of(out, f"v2_{name}", "v2_train.jsonl"), base, size, data, device)
        tune_whole(tuning_of(out, f"v1_it_{name}", "few_train.jsonl"), base, size, data, device)
        if name == "causal":
            tune(tuning_of(out, "v2_few", "few_train.jsonl"), base, size, data, device)
        else:
            tune(tuning_of(out, "v2_cut_leaky", "cut_train.jsonl", "cut_val.jsonl"), base, size, data, device)
            repair(base_of(out, "v1_repaired"), base, size, data, device)


def score_all(out: Path) -> None:
    """Run every series, and compare the twins."""
    for name in SERIES:
        steps = STEPS.get(name, ())
        evalharness("run", str(out / name), "--out", str(out / "reports"), *steps, *PROTOCOL, *LIMIT)
    for version in ("v1", "v1_it", "v2"):
        pair = [str(out / "reports" / f"{version}_{name}") for name in ("leaky", "causal")]
        compared = evalharness("compare", *pair)
        (out / "reports" / f"compare_{version}.md").write_text(compared, encoding="utf-8")


def evalharness(*arguments: str) -> str:
    """Run a command, and return what it prints."""
    command = [sys.executable, "-m", "evalharness", *arguments]
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    main()
