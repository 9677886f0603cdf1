"""The files of each tool, as that tool writes them."""

import json

import pytest

from evalharness.completion_files import read_completions
from evalharness.errors import CompletionFileError


def write(tmp_path, content, name="c.jsonl"):
    lines = content if isinstance(content, list) and name.endswith("l") else [content]
    (tmp_path / name).write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return tmp_path / name


def read(tmp_path, content, name="c.jsonl"):
    return read_completions(write(tmp_path, content, name))


def test_human_eval_with_its_results(tmp_path):
    rows = [{"task_id": "HumanEval/0", "completion": "x", "result": "failed: y", "passed": False}]
    file = read(tmp_path, rows)
    assert file.forms == {"human-eval": 1}
    assert [(c.task_id, c.text, c.holds_prompt, c.row) for c in file.completions] == [
        ("HumanEval/0", "x", False, rows[0])
    ]


def test_evalplus_samples_and_results(tmp_path):
    file = read(tmp_path, [{"task_id": "Mbpp/2", "solution": "def f(): ..."}])
    assert [(c.task_id, c.text, c.holds_prompt, c.form) for c in file.completions] == [
        ("Mbpp/2", "def f(): ...", True, "EvalPlus")
    ]
    rows = [{"task_id": "Mbpp/2", "solution": s, "base_status": "pass", "plus_status": None} for s in ("a", "b")]
    results = {"date": "2024-01-01 00:00", "hash": "x", "eval": {"Mbpp/2": rows, "Mbpp/3": []}, "pass_at_k": {}}
    file = read(tmp_path, results, "c.eval_results.json")
    assert file.forms == {"EvalPlus": 2}
    assert [(c.task_id, c.completion_id, c.text, c.holds_prompt) for c in file.completions] == [
        ("Mbpp/2", 0, "a", True),
        ("Mbpp/2", 1, "b", True),
    ]


@pytest.mark.parametrize("rows", [[{"base_status": "pass"}], ["x"]])
def test_evalplus_results_without_a_solution_name_the_task(tmp_path, rows, golden_text):
    with pytest.raises(CompletionFileError) as error:
        read(tmp_path, {"eval": {"Mbpp/2": rows}}, "c.json")
    golden_text(error)


def test_bigcode_by_position(tmp_path):
    file = read(tmp_path, [["a", "b"], [], ["c"]], "generations_humaneval.json")
    assert file.forms == {"bigcode-evaluation-harness": 3}
    assert [(c.task_id, c.completion_id, c.text) for c in file.completions] == [
        ("0", 0, "a"),
        ("0", 1, "b"),
        ("2", 0, "c"),
    ]
    assert all(c.holds_prompt and not c.has_id for c in file.completions)


def test_bigcode_of_an_unfinished_run_names_the_problem(tmp_path, golden_text):
    with pytest.raises(CompletionFileError) as error:
        read(tmp_path, [["a"], [None]], "c.json")
    golden_text(error)


def lm_eval_row(doc_id=0, resps=(("one", "two"),), **more):
    arguments = {"gen_args_0": {"arg_0": "def f():\n", "arg_1": {"until": ["\ndef"]}}}
    return {
        "doc_id": doc_id,
        "doc": {"task_id": "HumanEval/0", "prompt": "another\n"},
        "target": "check(f)",
        "arguments": arguments,
        "resps": [list(answers) for answers in resps],
        "filtered_resps": [["def f():\none"]],
        **more,
    }


def test_lm_eval_answers_as_the_model_gave_them_with_the_prompt_as_it_was_sent(tmp_path):
    file = read(tmp_path, [lm_eval_row()], "samples_humaneval_2026-01-01T00-00-00.jsonl")
    assert file.forms == {"lm-evaluation-harness": 2}
    assert [(c.task_id, c.completion_id, c.text, c.prompt) for c in file.completions] == [
        ("HumanEval/0", 0, "one", "def f():\n"),
        ("HumanEval/0", 1, "two", "def f():\n"),
    ]


@pytest.mark.parametrize(
    ("arguments", "prompt"),
    [
        ([["old", {"until": []}]], "old"),
        ({"gen_args_0": {"arg_0": ['[{"role": "user", "content": "hi"}]'], "arg_1": {}}}, "hi"),
        ({"gen_args_0": {"arg_0": ['[{"role": "system", "content": "hi"}]'], "arg_1": {}}}, "doc"),
        ({"gen_args_0": {"arg_0": ["no JSON"], "arg_1": {}}}, "doc"),
        (None, "doc"),
        ([], "doc"),
    ],
)
def test_lm_eval_prompts_of_older_versions_of_chats_and_of_the_document(tmp_path, arguments, prompt):
    row = lm_eval_row(arguments=arguments, doc={"question": "doc"}, doc_id=5, resps=[["x"]])
    (found,) = read(tmp_path, [row]).completions
    assert (found.prompt, found.task_id) == (prompt, "5")


def test_lm_eval_answers_stand_once_however_many_filters_there_were(tmp_path):
    rows = [lm_eval_row(doc_id, filter=name) for name in ("none", "strict") for doc_id in (0, 1)]
    file = read(tmp_path, rows)
    assert len(file.completions) == 4
    assert file.notes == ("left out: lines that hold the same answers for another filter (2)",)


@pytest.mark.parametrize(
    "row",
    [
        lm_eval_row(resps=[[["-1.5", "False"]]]),
        lm_eval_row(resps=[["-1.5"]], arguments={"gen_args_0": {"arg_0": "a", "arg_1": "b"}}),
    ],
)
def test_lm_eval_log_likelihoods_are_no_completions(tmp_path, row, golden_text):
    with pytest.raises(CompletionFileError) as error:
        read(tmp_path, [row])
    golden_text(error)


@pytest.mark.parametrize("resps", ["x", [3], [[3]]])
def test_lm_eval_answers_of_another_form_are_one_line(tmp_path, resps, golden_text):
    with pytest.raises(CompletionFileError) as error:
        read(tmp_path, [{**lm_eval_row(), "resps": resps}])
    golden_text(error)


def test_evalharness_own_completions_and_its_journal(tmp_path):
    tokens = {"token_ids": [1, 2], "token_entropy_nats": [0.0, 0.5], "stop_reason": "loop", "decoding": "sampled"}
    row = {"task_id": "a", "completion": "x", "completion_id": 3, **tokens}
    record = {"task_id": "a", "completion_id": 3, "text": "x", **tokens}
    for line in (row, {"key": "k", "record": record}):
        file = read(tmp_path, [line])
        (found,) = file.completions
        assert file.forms == {"evalharness": 1}
        assert (found.task_id, found.completion_id, found.text, found.token_ids) == ("a", 3, "x", (1, 2))
        assert (found.token_entropy_nats, found.stop_reason) == ((0.0, 0.5), "loop")
