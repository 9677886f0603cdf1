"""What a pretrained model of real size costs: diagnose with 500 rows of data, score on few problems.

python benchmarks/pretrained.py FOLDER            # diagnose, then score: about ten minutes for 135M on two cores
python benchmarks/pretrained.py FOLDER --only diagnose

FOLDER is a Hugging Face folder. The rows are functions of Python's own library, four in five of them for training; the
log has the loss that the model has on the validation rows, so every probe of the loss has work. Prints seconds, CPU
seconds, the peak memory of the harness, when the first line came, and when each stage began.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import re
import subprocess
import sys
import sysconfig
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROWS, VALIDATION = 500, 100
SHORTEST, LONGEST = 200, 2400
"""Characters of a function: 60 to 800 tokens."""
STEP = 500
MANIFEST = """\
[data]
train = "train.jsonl"
validation = "val.jsonl"
prompt_key = "prompt"
completion_key = "completion"
"""
SCORE = ("--limit", "10", "--samples", "2", "--problems", "warmup", "--k", "1")


@dataclass(frozen=True, slots=True)
class Measured:
    """One command: seconds of its clock and of its CPUs, its peak memory, and when each line of progress came."""

    wall_s: float
    cpu_s: float
    peak_gb: float
    lines: tuple[tuple[float, str], ...]


def functions() -> Iterator[dict[str, str]]:
    """Functions of the standard library with a docstring: the head and the docstring, and the body."""
    for path in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")):
        text = path.read_text(errors="replace")
        lines = text.splitlines(keepends=True)
        for node in ast.parse(text).body:
            if isinstance(node, ast.FunctionDef) and ast.get_docstring(node) and len(node.body) > 1:
                first = node.body[1].lineno - 1
                prompt, body = "".join(lines[node.lineno - 1 : first]), "".join(lines[first : node.end_lineno])
                if SHORTEST <= len(prompt + body) <= LONGEST:
                    yield {"prompt": prompt, "completion": body}


def make_case(weights: Path, folder: Path) -> Path:
    """A checkpoint in ``folder`` by links to ``weights``, with data, manifest and log."""
    checkpoint = folder / f"checkpoint-{STEP}"
    checkpoint.mkdir()
    for file in weights.iterdir():
        (checkpoint / file.name).symlink_to(file.resolve())
    rows = list(functions())
    rows = [rows[i * len(rows) // ROWS] for i in range(ROWS)]
    every = ROWS // VALIDATION
    for name, part in (("val", rows[::every]), ("train", [r for i, r in enumerate(rows) if i % every])):
        (checkpoint / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in part))
    (checkpoint / "evalharness.toml").write_text(MANIFEST)
    logged = {"step": STEP, "epoch": 1.0, "eval_loss": loss(weights, rows[::every])}
    (checkpoint / "trainer_state.json").write_text(json.dumps({"global_step": STEP, "log_history": [logged]}))
    return checkpoint


def loss(weights: Path, rows: list[dict[str, str]]) -> float:
    """Mean nats per token of the completions, encoded apart from their prompts, an end token behind each."""
    import torch
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(weights)
    model = transformers.AutoModelForCausalLM.from_pretrained(weights, dtype=torch.float32).eval()
    total, targets = 0.0, 0
    for row in rows:
        prompt, completion = tokenizer.encode(row["prompt"]), tokenizer.encode(row["completion"])
        ids = torch.tensor([[*prompt, *completion, tokenizer.eos_token_id]])
        labels = ids.clone()
        labels[0, : len(prompt)] = -100
        with torch.no_grad():
            total += float(model(ids, labels=labels).loss) * (len(completion) + 1)
        targets += len(completion) + 1
    return total / targets


def measure(*command: object) -> Measured:
    """Run a command of evalharness and watch its stderr."""
    begun, lines = time.perf_counter(), []
    arguments = [sys.executable, "-m", "evalharness", *map(str, command)]
    with subprocess.Popen(arguments, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        lines = [(time.perf_counter() - begun, line.rstrip()) for line in process.stderr]
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall_s = time.perf_counter() - begun
        said = process.stdout.read() if process.stdout else ""
    if process.returncode not in {0, 1}:
        raise SystemExit(f"{' '.join(arguments)}: exit code {process.returncode}\n" + "\n".join(t for _, t in lines))
    print(said[:3000])
    return Measured(wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 2**20, tuple(lines))


def show(name: str, measured: Measured) -> None:
    first = f"first line after {measured.lines[0][0]:.1f} s" if measured.lines else "no line"
    gap = max((b[0] - a[0] for a, b in zip(measured.lines, measured.lines[1:], strict=False)), default=0.0)
    print(f"{name}: {measured.wall_s:.0f} s, {measured.cpu_s:.0f} s of CPU, peak {measured.peak_gb:.2f} GiB, {first},")
    print(f"  longest silence {gap:.1f} s")
    seen = ""
    for at, line in measured.lines:
        stage = re.split(r"[\d:]", line, maxsplit=1)[0].strip()
        if stage != seen:
            print(f"  {at:7.1f} s  {line[:100]}")
        seen = stage


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", choices=("diagnose", "score"))
    parser.add_argument("--keep", type=Path, help="make the case here, or use the one that is here already")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or Path(temporary)
        folder.mkdir(exist_ok=True)
        checkpoint = folder / f"checkpoint-{STEP}"
        if not checkpoint.is_dir():
            make_case(arguments.folder.resolve(), folder)
        for command in ("diagnose", "score"):
            if arguments.only in {None, command}:
                more = SCORE if command == "score" else ()
                with tempfile.TemporaryDirectory() as out:
                    show(command, measure(command, checkpoint, "--out", out, *more))


if __name__ == "__main__":
    main()
