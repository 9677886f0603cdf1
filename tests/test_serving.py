"""A score whose completions a server writes, as the command that a user types. llama.cpp's own server answers."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest
from forked_command import run_forked, start_forked
from llama_server import LlamaServer, llama_server
from small_folder import PROBLEMS
from small_gguf import write_gguf

from evalharness.runs import scorecard_json

pytest.importorskip("openai")
pytest.importorskip("xllamacpp")
pytestmark = pytest.mark.xdist_group("llama.cpp")
KEPT = re.compile(r"\b[1-9]\d* kept\b")
"""Of the earlier run, as the command says before it completes."""
QUICK = ("--problems", "own.jsonl", "--samples", "4", "--max-new-tokens", "40", "--concurrency", "2")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A GGUF file and three problems."""
    made = tmp_path_factory.mktemp("served")
    write_gguf(made / "tiny.gguf", "F16", context=1024)
    (made / "own.jsonl").write_text("".join(json.dumps(row) + "\n" for row in PROBLEMS))
    return made


@pytest.fixture(scope="module")
def running(folder) -> LlamaServer:
    with llama_server(folder / "tiny.gguf") as server:
        yield server


def score(folder: Path, server: LlamaServer, *more: str):
    asked = ["score", *more, "--backend", "openai", "--base-url", server.base_url, *QUICK]
    return run_forked(asked, cwd=folder)


def card_in(out: Path):
    (path,) = out.rglob("scorecard.json")
    return scorecard_json.from_json(path.read_text())


def completions_in(out: Path) -> dict[str, list[dict]]:
    return {
        path.name: sorted(
            map(json.loads, path.read_text().splitlines()), key=lambda r: (r["task_id"], r["completion_id"])
        )
        for path in out.rglob("completions/*.jsonl")
    }


def test_with_the_weights_here_the_server_writes_and_the_probes_look_into_them(folder, running, tmp_path):
    done = score(folder, running, "tiny.gguf", "--out", str(tmp_path))
    assert done.returncode == 0, done.stderr
    card = card_in(tmp_path)
    assert card.protocol.value("backend") == "openai"
    assert card.protocol.value("base_url") == running.base_url
    assert "future_leak" in {outcome.probe for outcome in card.ruled_out}
    greedy = completions_in(tmp_path)["own.greedy.jsonl"]
    assert len(greedy) == 3
    assert all(row["completion"] for row in greedy)


def test_a_server_alone_is_scored_and_what_needs_the_weights_is_not_testable(folder, running, tmp_path):
    done = score(folder, running, "--out", str(tmp_path))
    assert done.returncode == 0, done.stderr
    card = card_in(tmp_path)
    assert "llama.cpp" in card.checkpoint.kind
    assert card.protocol.attention == "not_testable"
    lacking = {outcome.probe for outcome in card.not_testable if outcome.kind == "capability"}
    assert {"future_leak", "cache_mismatch", "adapter"} <= lacking | {o.probe for o in card.not_testable}
    assert "future_leak" not in {outcome.probe for outcome in card.ruled_out}
    assert card.outcomes["own"]["greedy"]
    assert not card.incomplete


def test_killed_with_its_server_the_same_command_goes_on_and_makes_the_same(folder, tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    with llama_server(folder / "tiny.gguf", slots=1) as server:
        assert score(folder, server, "--out", str(whole)).returncode == 0
        arguments = ["score", "--backend", "openai", "--base-url", server.base_url, *QUICK, "--out", str(killed)]
        process = start_forked(arguments, cwd=folder)
        deadline = time.monotonic() + 120
        while process.exitcode is None and time.monotonic() < deadline:
            if any(path.read_bytes().count(b"\n") >= 3 for path in killed.rglob("completions.jsonl")):
                break
            time.sleep(0.002)
        process.kill()
        process.join()
        server.kill()
        left = run_forked(arguments, cwd=folder)
        assert left.returncode in {2, 3}
        assert len(left.stderr.strip().splitlines()[-1:]) == 1
        port = server.port
    with llama_server(folder / "tiny.gguf", slots=1, port=port) as server:
        done = run_forked(arguments, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert KEPT.search(done.stderr)
    assert completions_in(killed) == completions_in(whole)


def test_a_server_that_is_not_there_is_said_before_the_checkpoint_is_loaded(folder, tmp_path):
    asked = ["tiny.gguf", "--backend", "openai", "--base-url", "http://127.0.0.1:9/v1", "--out", str(tmp_path)]
    done = run_forked(["score", *asked, *QUICK], cwd=folder)
    assert done.returncode == 3
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_command_without_a_checkpoint_or_a_server_says_what_to_name(folder):
    done = run_forked(["score", *QUICK], cwd=folder)
    assert done.returncode == 2
    assert "--base-url" in done.stderr


def test_a_series_is_not_scored_by_one_server_which_has_the_weights_of_one_step(folder):
    done = run_forked(["run", ".", "--backend", "openai", "--base-url", "http://127.0.0.1:1/v1", *QUICK], cwd=folder)
    assert done.returncode == 2
    assert "--step" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_gate_asks_the_server_and_decides(folder, running, tmp_path):
    asked = ["gate", "tiny.gguf", "--backend", "openai", "--base-url", running.base_url, *QUICK, "--out", str(tmp_path)]
    done = run_forked([*asked, "--min-pass-at-1", "0.9"], cwd=folder)
    assert done.returncode == 1, done.stderr
    assert card_in(tmp_path).protocol.value("backend") == "openai"
