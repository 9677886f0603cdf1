"""Every input that was once judged wrongly, or whose results were lost, gets its verdict."""

from __future__ import annotations

import json
import shutil
import sys

import pytest
from shared_data import mbpp_or_skip, shared_or_skip

from evalharness.pipeline.judging_files import judge_file
from evalharness.records import Problem, Verdict
from evalharness.sandbox import Limits

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="programs can't be isolated on this system")
FAILED, PASSED, NOT_JUDGED = "failed", "passed", "not_judged"


@pytest.fixture
def verdicts(tmp_path):
    """The verdict on each row of an input, in its order; ``problems`` is a name, or another of the inputs."""

    def judge(name, problems="humaneval", paths=None):
        file = tmp_path / name
        shutil.copyfile(shared_or_skip(f"data/sandbox/{name}"), file)
        if problems.endswith(".jsonl"):
            problems = str(shared_or_skip(f"data/sandbox/{problems}"))
        result = judge_file(file, problems, (1,), workers=2, problem_paths=paths)
        return [json.loads(line)["verdict"] for line in result.results.read_text().splitlines()]

    return judge


def test_programs_that_foresee_the_random_numbers_of_tests_fail(verdicts):
    assert verdicts("random_ignores_argument.jsonl") == [FAILED, FAILED]
    assert verdicts("random_predicted.jsonl") == [FAILED, FAILED]


def test_a_number_of_half_precision_equals_no_large_integer(verdicts):
    assert verdicts("numpy_inf.jsonl", "numpy_inf_problems.jsonl") == [FAILED] * 4


@pytest.mark.parametrize(("name", "rows"), [("nan_score.jsonl", 2), ("inf_score.jsonl", 1)])
def test_rows_with_numbers_that_json_lacks_are_judged_like_others(verdicts, name, rows):
    assert verdicts(name) == [PASSED] * rows


def test_a_set_that_crosses_gives_its_elements_in_another_order_than_the_tests_ask_for(verdicts):
    assert verdicts("set_order_mbpp341.jsonl", "mbpp", {"mbpp": mbpp_or_skip()}) == [FAILED]


def test_a_pool_of_threads_works(verdicts):
    assert verdicts("threadpool.jsonl") == [PASSED]


def test_no_program_learns_which_files_another_has_read(tmp_path):
    file = tmp_path / "atime.jsonl"
    shutil.copyfile(shared_or_skip("data/sandbox/atime.jsonl"), file)
    result = judge_file(file, str(shared_or_skip("data/sandbox/atime_problems.jsonl")), (1,), workers=1)
    before, _, after = (json.loads(line) for line in result.results.read_text().splitlines())
    assert before["result"].partition(" (")[0] == after["result"].partition(" (")[0]
    assert {before["verdict"], after["verdict"]} == {FAILED}


def test_answers_that_are_kept_are_bounded_by_the_memory_of_the_judge(execute):
    row = json.loads(shared_or_skip("data/sandbox/memory_results.jsonl").read_text())
    small = Limits(memory_bytes=160 << 20, cpu_s=30, wall_s=60)  # the judge has four times as much
    kept = "def check(candidate):\n    kept = [candidate() for _ in range({})]\n    assert len(kept[-1]) == 8_000_001\n"
    few, many = (Problem("M/0", "def f():\n", "f", "    return 1\n", kept.format(n)) for n in (2, 200))
    assert execute(few, row["completion"], small).verdict is Verdict.PASSED
    execution = execute(many, row["completion"], small)
    assert (execution.verdict, "640 MiB" in execution.detail) == (Verdict.FAILED, True)


JUDGED_IN_PROCESS = {"T/stopiter"}
"""Their tests can't be judged apart: a StopIteration could end a loop of the tests as if it had gone well."""
NOT_PASSED = {
    ("T/bigarg2", "2M large-int arg"): FAILED,  # its test adds up wrongly
    ("T/negzero", "zero wrong"): FAILED,
    ("T/float", "Decimal (TypeError in plain python, too)"): FAILED,
    ("T/listsub", "UserList"): FAILED,
    ("T/listsub", "deque (wrong in plain python)"): FAILED,
    ("T/rec", "recursion 20000 lru"): "crashed",
    ("T/rec", "recursion 100000 lru"): "crashed",
    ("T/rec", "sorted key recursion"): "crashed",
}


def test_tests_of_own_problems_are_judged_or_the_problem_is_named(tmp_path):
    file = tmp_path / "own.jsonl"
    shutil.copyfile(shared_or_skip("data/sandbox/own.jsonl"), file)
    result = judge_file(file, str(shared_or_skip("data/sandbox/own_problems.jsonl")), (1,), workers=2)
    rows = [json.loads(line) for line in result.results.read_text().splitlines()]
    unlike = {(row["task_id"], row["name"]): row["verdict"] for row in rows if row["verdict"] != PASSED}
    # Whether it is too much depends on what the judge has taken before.
    assert unlike.pop(("T/mem", "1000 MB once"), "out_of_memory") == "out_of_memory"
    named = {key: NOT_JUDGED for key in unlike if key[0] in JUDGED_IN_PROCESS}
    assert unlike == NOT_PASSED | named
    assert {fault.partition(" ")[0] for fault in result.unsolved} == JUDGED_IN_PROCESS | {"T/bigarg2"}
