"""``execute`` on files of several tools: judged where it is certain which problem a completion is of, else refused."""

import gzip
import json
import os
import threading
import time
import tracemalloc

import pytest
from forked_command import start_forked
from small_folder import PROBLEMS

from evalharness.errors import CompletionFileError, StoreError
from evalharness.pipeline import judging_files
from evalharness.pipeline.judging_files import judge_file
from evalharness.pipeline.result_parts import Parts
from evalharness.pipeline.result_rows import PartialResults
from evalharness.pipeline.result_stream import ResultStream
from evalharness.progress import Silent
from evalharness.runs import files

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


ROW = {"task_id": "own/0", "completion": RIGHT}


@pytest.mark.parametrize("text", ["NaN", "-Infinity", '[1, {"deep": NaN}]'])
def test_what_a_row_holds_beside_its_completion_is_kept_as_it_is(tmp_path, text):
    (tmp_path / "own.jsonl").write_text("".join(json.dumps(row) + "\n" for row in PROBLEMS))
    line = json.dumps(ROW)[:-1] + f', "score": {text}}}'
    (tmp_path / "c.jsonl").write_text(line + "\n")
    result = judge_file(tmp_path / "c.jsonl", str(tmp_path / "own.jsonl"), (1,), workers=1)
    (row,) = map(json.loads, result.results.read_text().splitlines())
    assert (row["passed"], repr(row["score"])) == (True, repr(json.loads(text)))


def test_results_of_other_completions_are_kept_and_those_of_the_same_are_renewed(tmp_path):
    for name, text in (("first", RIGHT), ("again", RIGHT), ("other", WRONG)):
        execute(tmp_path, [{**ROW, "completion": text}])
        found = {file.name: json.loads(file.read_text())["passed"] for file in tmp_path.glob("*_results*")}
        if name != "other":
            assert found == {"c.jsonl_results.jsonl": True}
    assert found == {"c.jsonl_results.jsonl": True, "c.jsonl_results_2.jsonl": False}


def test_more_completions_than_there_are_can_not_be_asked_for(tmp_path, golden_text):
    (tmp_path / "own.jsonl").write_text("".join(json.dumps(row) + "\n" for row in PROBLEMS))
    (tmp_path / "c.jsonl").write_text(json.dumps(ROW) + "\n")
    with pytest.raises(CompletionFileError) as error:
        judge_file(tmp_path / "c.jsonl", str(tmp_path / "own.jsonl"), (10, 100), workers=1)
    golden_text(error)
    assert not list(tmp_path.glob("*_results*"))


def test_a_folder_that_can_not_be_written_is_told_before_anything_is_judged(tmp_path, monkeypatch):
    def refuse(*_arguments):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(files, "_put_in_place", refuse)
    monkeypatch.setattr(judging_files, "judges_for", lambda *_, **__: pytest.fail("something was judged"))
    with pytest.raises(StoreError):
        execute(tmp_path, [ROW])


HALF = {
    "task_id": "HumanEval/7",
    "prompt": "def half(number):\n",
    "entry_point": "half",
    "canonical_solution": "    return number / 2\n",
    "base_input": [[2]],
    "plus_input": [[3]],
    "atol": 0,
    "contract": "",
}


def test_base_tests_and_all_tests_are_told_apart_in_the_results_and_in_pass_at_k(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "plus.jsonl").write_text(json.dumps(HALF) + "\n")
    texts = ["    return number / 2\n", "    return number // 2\n", "    return 0\n"]
    file = tmp_path / "c.jsonl"
    file.write_text("".join(json.dumps({"task_id": "HumanEval/7", "completion": text}) + "\n" for text in texts))
    result = judge_file(file, "humaneval+", (1,), workers=1, problem_paths={"humaneval+": tmp_path / "plus.jsonl"})
    rows = [json.loads(line) for line in result.results.read_text().splitlines()]
    assert [(row["base_passed"], row["passed"]) for row in rows] == [(True, True), (True, False), (False, False)]
    shares = [round(found["1"].estimate, 3) for found in (result.base_pass_at_k, result.pass_at_k)]
    assert shares == [0.667, 0.333]
    assert result.release.licence == "Apache-2.0"
    assert [file.suffix for file in (tmp_path / "cache/evalharness/answers").iterdir()] == [".answers"]
    assert judge_file(result.results, str(tmp_path / "plus.jsonl"), (1,), workers=1).outcomes == result.outcomes


def test_an_earlier_verdict_on_base_tests_is_not_one_of_a_set_without_them(tmp_path):
    file, problems = tmp_path / "c.jsonl", tmp_path / "p.jsonl"
    problem = {key: HALF[key] for key in ("task_id", "prompt", "entry_point", "canonical_solution")}
    problems.write_text(json.dumps({**problem, "test": "def check(half):\n    assert half(2) == 1\n"}) + "\n")
    earlier = {"base_passed": True, "base_verdict": "passed", "passed": True, "n": 7}
    row = {"task_id": "HumanEval/7", "completion": "    return 0\n"}
    file.write_text(json.dumps({**row, **earlier}) + "\n")
    (found,) = map(json.loads, judge_file(file, str(problems), (1,), workers=1).results.read_text().splitlines())
    assert (set(found), found["n"], found["passed"]) == ({*row, "n", "result", "passed", "verdict"}, 7, False)


class Stages(Silent):
    """Keeps how many pieces each stage has."""

    def __init__(self):
        self.totals = {}

    def stage(self, name, total):
        self.totals[name] = total


def slow_file(tmp_path, monkeypatch):
    """Eight slow completions of a problem with base and plus tests; every other one fails the plus test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "plus.jsonl").write_text(json.dumps(HALF) + "\n")
    bodies = [
        f"    import time; time.sleep(0.2 + {n} / 1e3)\n    return number {'/' * (1 + n % 2)} 2\n" for n in range(8)
    ]
    rows = [{"task_id": "HumanEval/7", "completion": body, "n": n} for n, body in enumerate(bodies)]
    (tmp_path / "c.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path / "c.jsonl"


def test_killed_it_leaves_the_results_so_far_and_goes_on_with_the_others(tmp_path, monkeypatch):
    file, partial = slow_file(tmp_path, monkeypatch), tmp_path / "c.jsonl_results.partial.jsonl"
    arguments = ["execute", "c.jsonl", "--problems", "plus.jsonl", "--k", "1", "--workers", "1"]
    process = start_forked(arguments, cwd=tmp_path)
    deadline = time.monotonic() + 60
    while not (partial.exists() and partial.read_bytes().count(b"\n") >= 3) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    process.join()
    kept = [json.loads(line) for line in partial.read_text().splitlines()]
    assert [(row["n"], row["base_passed"], row["passed"]) for row in kept] == [
        (n, True, n % 2 == 0) for n in range(len(kept))
    ]
    assert 3 <= len(kept) < 8
    stages = Stages()
    result = judge_file(file, str(tmp_path / "plus.jsonl"), (1,), workers=1, watcher=stages)
    assert stages.totals["running"] == 8 - len(kept)
    rows = [json.loads(line) for line in result.results.read_text().splitlines()]
    assert [(row["n"], row["base_passed"], row["passed"]) for row in rows] == [(n, True, n % 2 == 0) for n in range(8)]
    assert not partial.exists()


DAMAGED = (
    {"key": "no digits"},
    {"key": ["00"]},
    {"record": None},
    {"record": {"task_id": "own/0"}},
    {"record": {"verdict": "solved"}},
)


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_line_of_an_earlier_run_costs_one_program_and_not_the_run(tmp_path, monkeypatch, damage):
    file, partial = slow_file(tmp_path, monkeypatch), tmp_path / "c.jsonl_results.partial.jsonl"
    problems = str(tmp_path / "plus.jsonl")
    with monkeypatch.context() as patch:
        patch.setattr(ResultStream, "write", raise_interrupt)
        with pytest.raises(KeyboardInterrupt):
            judge_file(file, problems, (1,), workers=2)
    first, *others = map(json.loads, partial.read_text().splitlines())
    partial.write_text("".join(json.dumps(row) + "\n" for row in ({**first, **damage}, *others)))
    stages = Stages()
    result = judge_file(file, problems, (1,), workers=2, watcher=stages)
    assert (stages.totals["running"], result.outcomes) == (1, {"passed": 4, "failed": 4})


def raise_interrupt(*_, **__):
    """End the run as Ctrl-C would."""
    raise KeyboardInterrupt


def test_a_file_that_another_process_judges_is_refused(tmp_path, golden_text):
    (tmp_path / "own.jsonl").write_text("".join(json.dumps(row) + "\n" for row in PROBLEMS))
    file = tmp_path / "c.jsonl"
    file.write_text(json.dumps(ROW) + "\n")
    with PartialResults(tmp_path, "c.jsonl_results", [], []), pytest.raises(StoreError) as error:
        judge_file(file, str(tmp_path / "own.jsonl"), (1,), workers=1)
    golden_text(error)


ANSWERS = (
    "Here is the function:\n\n```python\ndef add(a, b):\n    return a + b\n```\n\nIt adds.",
    "```python\n    return a + b\n```",
    "    return a + b\n```\n",
    RIGHT,
    "    return '```' and a + b\n",
)


@pytest.mark.parametrize(("extract", "passed"), [("auto", [True] * 5), ("never", [False, False, False, True, True])])
def test_of_a_chat_answer_the_code_in_its_fence_is_judged(tmp_path, extract, passed):
    (tmp_path / "own.jsonl").write_text("".join(json.dumps(row) + "\n" for row in PROBLEMS))
    file = tmp_path / "c.jsonl"
    file.write_text("".join(json.dumps({"task_id": "own/0", "completion": text}) + "\n" for text in ANSWERS))
    result = judge_file(file, str(tmp_path / "own.jsonl"), (1,), workers=1, extract=extract)
    rows = [json.loads(line) for line in result.results.read_text().splitlines()]
    assert [row["passed"] for row in rows] == passed
    assert [row["completion"] for row in rows] == list(ANSWERS)
    assert (result.extracted, len(result.notes)) == ((3, 1) if extract == "auto" else (0, 0))


def test_completions_come_from_a_pipe_and_their_results_are_in_the_working_folder(tmp_path, monkeypatch):
    (tmp_path / "own.jsonl").write_text("".join(json.dumps(row) + "\n" for row in PROBLEMS))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    pipe = tmp_path / "c.jsonl"
    os.mkfifo(pipe)
    rows = "".join(json.dumps({**ROW, "completion": text}) + "\n" for text in (RIGHT, WRONG))
    writer = threading.Thread(target=pipe.write_bytes, args=[gzip.compress(rows.encode())])
    writer.start()
    result = judge_file(pipe, str(tmp_path / "own.jsonl"), (1,), workers=1)
    writer.join()
    found = [json.loads(line)["passed"] for line in result.results.read_text().splitlines()]
    assert (result.results.parent, found) == (tmp_path / "here", [True, False])


def test_a_program_that_needs_what_the_sandbox_refuses_is_reported_apart_and_has_not_passed(tmp_path):
    starts = "    import subprocess\n    return int(subprocess.check_output(['echo', str(a + b)]))\n"
    (row,) = execute(tmp_path, [{**ROW, "completion": starts}])
    assert (row["passed"], row["verdict"]) == (False, "not_supported")


LONG_COMMENT = "# " + 100_000 * "x"


def test_many_programs_never_lie_in_memory_whole(tmp_path):
    few, many = (_peak_bytes(tmp_path / str(programs), programs) for programs in (20, 220))
    assert many - few < 200 * len(LONG_COMMENT) / 4


def _peak_bytes(folder, programs):
    """What Python holds at most while a file of so many long programs is judged, all of them different."""
    folder.mkdir()
    rows = ({"task_id": "own/0", "completion": f"{RIGHT}{LONG_COMMENT}{number}\n"} for number in range(programs))
    (folder / "own.jsonl").write_text("".join(json.dumps(row) + "\n" for row in PROBLEMS))
    with (folder / "c.jsonl").open("w") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    tracemalloc.start()
    try:
        result = judge_file(folder / "c.jsonl", str(folder / "own.jsonl"), (1,))
        assert result.outcomes == {"passed": programs}
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_file_that_changes_while_it_is_judged_is_refused(tmp_path):
    (tmp_path / "own.jsonl").write_text("".join(json.dumps(row) + "\n" for row in PROBLEMS))
    file = tmp_path / "c.jsonl"
    file.write_text(json.dumps({"task_id": "own/0", "completion": RIGHT}) + "\n")

    class Writes(Silent):
        def advance(self):
            file.write_text(json.dumps({"task_id": "own/1", "completion": WRONG}) + "\n")

    with pytest.raises(CompletionFileError):
        judge_file(file, str(tmp_path / "own.jsonl"), (1,), workers=1, watcher=Writes())
    assert not list(tmp_path.glob("*_results.jsonl"))


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_results_in_parts_have_every_row_in_order_and_replace_nothing(tmp_path, form):
    (tmp_path / "own.jsonl").write_text("".join(json.dumps(row) + "\n" for row in PROBLEMS))
    texts = [RIGHT, WRONG, RIGHT, WRONG, RIGHT]
    rows = [{"task_id": "own/0", "completion": text, "mine": number} for number, text in enumerate(texts)]
    (tmp_path / "c.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    made = [
        judge_file(tmp_path / "c.jsonl", str(tmp_path / "own.jsonl"), (1,), workers=1, parts=Parts(form, 2))
        for _ in range(2)
    ]
    assert [result.results.name for result in made] == ["c.jsonl_results", "c.jsonl_results_2"]
    parts = sorted(made[0].results.iterdir())
    assert [part.name for part in parts] == [f"part-0000{n}.{form}" for n in range(3)]
    read = [row for part in parts for row in rows_of(part)]
    assert [row["mine"] for row in read] == [0, 1, 2, 3, 4]
    assert [row["passed"] for row in read] == [True, False, True, False, True]


def rows_of(part):
    if part.suffix == ".jsonl":
        return [json.loads(line) for line in part.read_text().splitlines()]
    table = pytest.importorskip("pyarrow.parquet").read_table(part).to_pylist()
    assert all(json.loads(row["row"])["verdict"] == row["verdict"] for row in table)
    return [{**json.loads(row["row"]), "passed": row["passed"]} for row in table]
