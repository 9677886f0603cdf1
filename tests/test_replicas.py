"""Completions that several processes write: the same ones, whatever becomes of the processes."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil
import pytest
from forked_command import run_forked, start_forked
from small_folder import MODEL, QUICK, make_model_folder

from evalharness.errors import EvaluationError
from evalharness.generation import GREEDY, Decoding, Prompting, Request, Settings, TorchGenerator, requests_for
from evalharness.pipeline.loading import load_model, load_problem_sets
from evalharness.pipeline.spreading.local_process import PROGRAM
from evalharness.pipeline.spreading.replica import ReplicaOrder
from evalharness.pipeline.spreading.replicas import ReplicatedGenerator, local_host, portions
from evalharness.pipeline.target import find_target
from evalharness.progress import Silent
from evalharness.runs import scorecard_json

SLEEPS = "import os, time\n" + MODEL.replace(
    "    def forward(self, ids):\n",
    "    def forward(self, ids):\n        time.sleep(float(os.environ.get('PASS_S', 0)))\n",
)
"""The small model, whose passes take as long as the environment says."""
SAMPLED = Decoding("sampled", 0.8)


@dataclass(frozen=True)
class Small:
    """The model in this process, what replicas of it are made from, and requests."""

    alone: TorchGenerator
    order: ReplicaOrder
    requests: list[Request]

    def replicated(self, count: int) -> ReplicatedGenerator:
        return ReplicatedGenerator(self.alone, partial(local_host, self.order, "cpu"), count)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    made = make_model_folder(tmp_path_factory.mktemp("replicas"))
    (made / "my_model.py").write_text(SLEEPS)
    return made


@pytest.fixture(scope="module")
def small(folder) -> Small:
    asked = {"problems": (str(folder / "own.jsonl"),), "trust": True}
    target = find_target(folder / "model.pt", asked)
    checkpoint = load_model(target, Silent())
    prompting = Prompting(checkpoint.prompt_template, checkpoint.begin_token_ids, checkpoint.end_token_ids)
    settings = Settings(40, exact_lengths=False, noise_nats=1e-4)
    alone = TorchGenerator(checkpoint.model, checkpoint.tokenizer, prompting, settings, checkpoint.token_mask)
    problems = load_problem_sets(target.options)[0].problems
    requests = requests_for(problems, checkpoint.tokenizer, prompting, GREEDY, 1)
    requests += requests_for(problems, checkpoint.tokenizer, prompting, SAMPLED, 4)
    return Small(alone, ReplicaOrder(target, prompting, settings, checkpoint.info.fingerprint, "float32"), requests)


def replicas_of(process: int) -> list[psutil.Process]:
    children = psutil.Process(process).children()
    return [child for child in children if PROGRAM in child.cmdline()]


def by_name(completions) -> dict[tuple, object]:
    return {(c.task_id, c.decoding, c.completion_id): c for c in completions}


def test_portions_keep_a_problem_together_and_have_every_request_once(small) -> None:
    dealt = portions(small.requests, 2, 32)
    assert len(dealt) == 2
    tasks = [{task for task, _, _ in portion} for portion in dealt]
    assert not tasks[0] & tasks[1]
    assert sum(map(len, dealt)) == len(small.requests)
    assert len(portions(small.requests, 64, 32)) == 3, "no more portions than problems"


@pytest.fixture
def slow(monkeypatch) -> None:
    monkeypatch.setenv("PASS_S", "0.02")


def test_a_replica_that_is_killed_is_started_again_and_all_completions_are_as_in_one_process(small, slow) -> None:
    expected = by_name(small.alone.complete(small.requests))
    arriving: Iterator = small.replicated(2).complete(small.requests)
    first = next(arriving)
    killed = replicas_of(os.getpid())
    assert len(killed) == 2
    for replica in killed:
        replica.send_signal(signal.SIGKILL)
    made = by_name([first, *arriving])
    assert made == expected
    assert not replicas_of(os.getpid()), "none is left"


def test_what_the_model_of_a_replica_raises_is_one_line(small, monkeypatch) -> None:
    monkeypatch.setenv("PASS_S", "no number")
    with pytest.raises(EvaluationError) as caught:
        list(small.replicated(1).complete(small.requests))
    assert "no number" in str(caught.value)
    assert "\n" not in str(caught.value)


def completions_in(out: Path) -> dict[str, list[str]]:
    return {path.name: sorted(path.read_text().splitlines()) for path in out.rglob("completions/*.jsonl")}


def test_a_score_by_two_replicas_goes_on_after_a_kill_and_equals_that_of_one_process(folder, tmp_path, monkeypatch):
    """The command is killed; its replicas end with it; the next one makes what is missing."""
    asked = ["score", "mine/model.pt", *QUICK]
    plain, spread = tmp_path / "plain", tmp_path / "spread"
    assert run_forked([*asked, "--out", str(plain)], cwd=folder.parent).returncode == 0
    monkeypatch.setenv("PASS_S", "0.01")
    two = [*asked, "--replicas", "2", "--out", str(spread)]
    process = start_forked(two, cwd=folder.parent)
    deadline = time.monotonic() + 120
    while process.exitcode is None and time.monotonic() < deadline:
        if any(path.read_bytes().count(b"\n") >= 1 for path in spread.rglob("completions.jsonl")):
            break
        time.sleep(0.005)
    replicas = replicas_of(process.pid)
    process.kill()
    process.join()
    assert replicas
    _, alive = psutil.wait_procs(replicas, timeout=60)
    assert not alive
    monkeypatch.setenv("PASS_S", "0")
    done = run_forked(two, cwd=folder.parent)
    assert done.returncode == 0, done.stderr
    assert " kept from the earlier run" in done.stderr
    assert completions_in(spread) == completions_in(plain)
    (card,) = spread.rglob("scorecard.json")
    assert not scorecard_json.from_json(card.read_text()).incomplete
    assert json.loads(card.read_text())
