"""``execute`` on files of several tools: judged where it is certain which problem a completion is of, else refused."""

import json

import pytest
from small_folder import PROBLEMS

from evalharness.errors import CompletionFileError
from evalharness.pipeline.judging_files import judge_file

RIGHT, WRONG = "    return a + b\n", "    return a - b - 7\n"
ADD = PROBLEMS[0]["prompt"]


def execute(tmp_path, content, name="c.jsonl"):
    (tmp_path / "own.jsonl").write_text("".join(json.dumps(row) + "\n" for row in PROBLEMS))
    file = tmp_path / name
    file.write_text(json.dumps(content) if name.endswith(".json") else "".join(json.dumps(r) + "\n" for r in content))
    result = judge_file(file, str(tmp_path / "own.jsonl"), (1,), workers=1)
    return [json.loads(line) for line in result.results.read_text().splitlines()]


def answer(prompt, *texts):
    arguments = {"gen_args_0": {"arg_0": prompt, "arg_1": {"until": []}}}
    return {"doc_id": 0, "doc": {"task_id": "own/0"}, "arguments": arguments, "resps": [list(texts)]}


def test_bigcode_programs_are_judged_by_the_prompt_that_they_begin_with(tmp_path):
    texts = [[ADD.strip() + "\n" + RIGHT, ADD + WRONG]]
    rows = execute(tmp_path, texts, "generations_own.json")
    assert [(r["task_id"], r["solution"], r["passed"]) for r in rows] == [
        ("own/0", texts[0][0], True),
        ("own/0", texts[0][1], False),
    ]


def test_a_bigcode_program_that_begins_with_no_prompt_is_refused(tmp_path, golden_text):
    with pytest.raises(CompletionFileError) as error:
        execute(tmp_path, [["def other(): ..."]], "c.json")
    golden_text(error)


def test_evalplus_results_are_judged_as_whole_programs(tmp_path):
    solutions = [{"solution": ADD + RIGHT, "base_status": "pass"}, {"solution": ADD + WRONG, "base_status": "fail"}]
    rows = execute(tmp_path, {"eval": {"own/0": solutions}}, "c.eval_results.json")
    assert [(r["task_id"], r["base_status"], r["passed"]) for r in rows] == [
        ("own/0", "pass", True),
        ("own/0", "fail", False),
    ]


@pytest.mark.parametrize("prompt", [ADD, ADD.rstrip()])
def test_answers_of_lm_eval_are_judged_where_the_prompt_was_the_problems_own(tmp_path, prompt):
    texts = ["\n" * (prompt != ADD) + text for text in (RIGHT, WRONG)]
    rows = execute(tmp_path, [answer(prompt, *texts)])
    assert [(r["task_id"], r["passed"]) for r in rows] == [("own/0", True), ("own/0", False)]


@pytest.mark.parametrize("prompt", [f"Please complete:\n{ADD}", None])
def test_answers_of_lm_eval_to_another_prompt_are_refused(tmp_path, prompt, golden_text):
    with pytest.raises(CompletionFileError) as error:
        execute(tmp_path, [answer(prompt, RIGHT)])
    golden_text(error)


def test_a_task_under_two_names_loses_no_completion(tmp_path):
    rows = [{"task_id": "own/0", "completion": RIGHT}, {"task_id": "OWN/0", "completion": WRONG}]
    found = execute(tmp_path, rows)
    assert [(r["task_id"], r["passed"]) for r in found] == [("own/0", True), ("OWN/0", False)]


def test_completions_with_the_same_number_are_judged_each(tmp_path):
    rows = [{"task_id": "own/0", "completion_id": 0, "completion": text} for text in (RIGHT, WRONG)]
    assert [r["passed"] for r in execute(tmp_path, rows)] == [True, False]


def test_a_line_without_an_id_is_refused_with_its_number(tmp_path, golden_text):
    with pytest.raises(CompletionFileError) as error:
        execute(tmp_path, [{"task_id": "own/0", "completion": RIGHT}, {"completion": RIGHT}])
    golden_text(error)
