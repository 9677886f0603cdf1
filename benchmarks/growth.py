"""How the cost of a diagnosis and of a run's report grows: CPU time against size, and the exponent of each growth.

python benchmarks/growth.py              # about ten minutes of CPU time
python benchmarks/growth.py --only rows

Each size is a checkpoint of its own: a small Llama-style model with random weights, functions of Python's library as
data, twelve problems. Reading the packages in is not counted. An exponent of 1 is linear; it is that of the two largest
sizes, for what does not grow hides the growth of small ones.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from copied_steps import copy_steps
from pretrained import functions

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parent.parent
CONTEXTS = (256, 512, 1024)
VOCABULARIES = (4_096, 16_384, 65_536)
ROWS = (2_000, 8_000, 32_000)
STEPS = (25, 50, 100)
FEW_ROWS = 48
DIAGNOSE = """
import sys, time
import torch, transformers
from pathlib import Path
from evalharness import pipeline
import evalharness.models.torch.huggingface, evalharness.diagnosis.catalogue, evalharness.generation
torch.set_num_threads(1)
begun = time.process_time()
few = {"problems": ("warmup",), "limit": 12, "max_new_tokens": 32, "out": Path(sys.argv[2])}
pipeline.diagnose(Path(sys.argv[1]), few)
print(time.process_time() - begun)
"""


def checkpoint(folder: Path, *, context: int = 256, vocabulary: int = 4_096, rows: int = FEW_ROWS) -> Path:
    """A checkpoint with ``rows`` training rows and few validation rows, each as long as the context."""
    import torch
    import transformers

    config = transformers.LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=context,
        bos_token_id=None,
        eos_token_id=None,
    )
    torch.manual_seed(0)
    transformers.LlamaForCausalLM(config).save_pretrained(folder)
    shutil.copy(ROOT / "checkpoints" / "causal" / "tokenizer.json", folder)
    text = "\n".join(row["prompt"] + row["completion"] for row in functions())
    length = 4 * context  # characters: more tokens than the context has room for
    for name, count in (("train", rows), ("val", FEW_ROWS)):
        starts = ((number * 977) % (len(text) - length) for number in range(count))
        lines = (json.dumps({"text": f"# {name} {i}\n{text[at : at + length]}"}) for i, at in enumerate(starts))
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
    (folder / "evalharness.toml").write_text('[data]\ntrain = "train.jsonl"\nvalidation = "val.jsonl"\n')
    return folder


def diagnosis_s(**size: int) -> float:
    """CPU seconds of a diagnosis of a checkpoint of one size."""
    with tempfile.TemporaryDirectory() as name:
        folder = checkpoint(Path(name) / "model", **size)
        command = [sys.executable, "-c", DIAGNOSE, str(folder), str(Path(name) / "out")]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(done.stdout.split()[-1])


def report_s(steps: int) -> float:
    """CPU seconds of the report of a run with so many scored steps."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with tarfile.open(ROOT / "tests" / "run_records.tar.xz") as archive:
            archive.extractall(folder, filter="data")
        run = folder / "many"
        copy_steps(folder / "causal_run" / "step_2000", run, steps)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "evalharness", "report", run], check=True, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def exponent(sizes: tuple[int, ...], costs: list[float]) -> float:
    return math.log(costs[-1] / costs[-2]) / math.log(sizes[-1] / sizes[-2])


GROWTHS: dict[str, tuple[str, tuple[int, ...], Callable[[int], float]]] = {
    "context": ("diagnose, tokens of context", CONTEXTS, lambda size: diagnosis_s(context=size)),
    "vocabulary": ("diagnose, ids of the vocabulary", VOCABULARIES, lambda size: diagnosis_s(vocabulary=size)),
    "rows": ("diagnose, rows of training data", ROWS, lambda size: diagnosis_s(rows=size)),
    "steps": ("report of a run, scored steps", STEPS, report_s),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=tuple(GROWTHS))
    arguments = parser.parse_args()
    print("| what | sizes | CPU seconds | exponent |\n| --- | --- | --- | --- |")
    for name, (words, sizes, cost) in GROWTHS.items():
        if arguments.only in {None, name}:
            costs = [cost(size) for size in sizes]
            listed = ", ".join(f"{size:,}" for size in sizes), ", ".join(f"{cost:.1f}" for cost in costs)
            print(f"| {words} | {listed[0]} | {listed[1]} | {exponent(sizes, costs):.2f} |", flush=True)


if __name__ == "__main__":
    main()
