"""vLLM in this process, as the command that a user types. vLLM itself answers; without it these tests are skipped.

No continuous integration has room for it: run them in an environment with ``evalharness[vllm]``.
"""

from __future__ import annotations

import importlib.util
import json
import math
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from small_folder import PROBLEMS, ROOT
from tokenizers import Tokenizer
from transformers import LlamaConfig, LlamaForCausalLM

from evalharness.records import Scorecard
from evalharness.runs import scorecard_json

needs_vllm = pytest.mark.skipif(importlib.util.find_spec("vllm") is None, reason="vLLM is not installed")
OPTIONS = "enforce_eager=true,max_num_seqs=2"
KEPT = re.compile(r"\b[1-9]\d* kept\b")
"""Of the earlier run, as the command says before it completes."""
QUICK = ("--problems", "own.jsonl", "--samples", "4", "--max-new-tokens", "40", "--vllm-options", OPTIONS)
ENDS_S = 900.0
TOKENIZER = ROOT / "checkpoints" / "causal" / "tokenizer.json"
VOCABULARY = Tokenizer.from_file(str(TOKENIZER)).get_vocab_size()


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A Hugging Face folder with a small Llama, three problems, and rows to compute a loss from."""
    made = tmp_path_factory.mktemp("vllm")
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=64,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=256,
        bos_token_id=None,
        eos_token_id=None,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        LlamaForCausalLM(config).save_pretrained(made / "model")
    shutil.copy(TOKENIZER, made / "model")
    (made / "own.jsonl").write_text("".join(json.dumps(row) + "\n" for row in PROBLEMS))
    (made / "val.jsonl").write_text("".join(json.dumps({"text": f"x = {n}\ny = x + {n}\n"}) + "\n" for n in range(8)))
    (made / "evalharness.toml").write_text('[data]\nvalidation = "val.jsonl"\n')
    return made


def started(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """The command in a process of its own, which nothing of pytest's lies in."""
    here = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_CPU_OMP_THREADS_BIND": "nobind", "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "evalharness", "score", *arguments, "--backend", "vllm"]
    return subprocess.Popen(command, cwd=folder, env=os.environ | here, stderr=subprocess.PIPE, text=True)


def score(folder: Path, *arguments: str) -> tuple[int, str]:
    process = started(folder, *arguments)
    said = process.communicate(timeout=ENDS_S)[1]
    return process.returncode, said


def card_in(out: Path) -> Scorecard:
    (path,) = out.rglob("scorecard.json")
    return scorecard_json.from_json(path.read_text())


def completions_in(out: Path) -> dict[str, str]:
    rows = [json.loads(line) for path in out.rglob("completions/*.jsonl") for line in path.read_text().splitlines()]
    return {f"{row['task_id']} {row['decoding']} {row['completion_id']}": row["completion"] for row in rows}


@needs_vllm
@pytest.mark.slow
def test_killed_while_vllm_writes_the_same_command_goes_on_with_the_weights_here_beside_it(folder, tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    code, said = score(folder, "model", *QUICK, "--out", str(whole))
    assert code == 0, said
    card = card_in(whole)
    assert card.protocol.value("backend") == "vllm"
    assert card.protocol.dtype == "float32"
    assert card.protocol.versions["vLLM"]
    assert "future_leak" in {outcome.probe for outcome in card.ruled_out}

    process = started(folder, "model", *QUICK, "--out", str(killed))
    deadline = time.monotonic() + ENDS_S
    while process.poll() is None and time.monotonic() < deadline:
        if any(path.read_bytes().count(b"\n") >= 3 for path in killed.rglob("completions.jsonl")):
            break
        time.sleep(0.005)
    process.kill()
    process.communicate(timeout=120)  # none of vLLM's processes is left to hold the pipe
    code, said = score(folder, "model", *QUICK, "--out", str(killed))
    assert code == 0, said
    assert KEPT.search(said)
    assert completions_in(killed) == completions_in(whole)


@needs_vllm
@pytest.mark.slow
def test_vllm_alone_gives_a_loss_and_what_needs_the_weights_is_not_testable(folder, tmp_path):
    code, said = score(folder, "--model", "model", *QUICK, "--out", str(tmp_path))
    assert code == 0, said
    card = card_in(tmp_path)
    assert card.protocol.attention == "not_testable"
    assert "future_leak" in {outcome.probe for outcome in card.not_testable}
    assert card.loss.recomputed_nats.estimate == pytest.approx(math.log(VOCABULARY), abs=0.5)
    assert card.outcomes["own"]["greedy"]


@needs_vllm
@pytest.mark.slow
def test_an_option_that_vllm_does_not_have_is_one_line(folder, tmp_path):
    code, said = score(folder, "model", "--vllm-options", "tensor_paralel_size=2", "--out", str(tmp_path))
    assert code == 2
    assert "tensor_paralel_size" in said.splitlines()[-1]


@pytest.mark.skipif(importlib.util.find_spec("vllm") is not None, reason="vLLM is installed")
def test_without_vllm_the_package_is_named_before_anything_is_loaded(folder):
    code, said = score(folder, "model", *QUICK)
    assert code == 2
    assert "evalharness[vllm]" in said
    assert len(said.splitlines()) == 1


def test_vllm_runs_no_module_of_ones_own(folder):
    code, said = score(folder, str(ROOT / "checkpoints" / "causal"), "--trust", *QUICK)
    assert code == 2
    assert "--model" in said.splitlines()[-1]
