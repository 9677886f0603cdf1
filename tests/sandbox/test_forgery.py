"""Programs that would pass without solving anything, if the judge let them know or say too much."""

import json

import pytest
from shared_data import shared_or_skip

from evalharness.problems import load_problems
from evalharness.records import Problem
from evalharness.sandbox import Job, Sandbox

ADD = Problem(
    task_id="add",
    prompt='def add(a, b):\n    """a + b"""\n',
    test=(
        "import random\n"
        "def check(candidate):\n"
        "    for _ in range(20):\n"
        "        a, b = random.randint(0, 1000), random.randint(0, 1000)\n"
        "        assert candidate(a, b) == a + b\n"
    ),
    entry_point="add",
    canonical_solution="    return a + b\n",
)
KNOWS_THE_SEED = """    return next(ANSWERS)
import random
def answers(seed):
    draw = random.Random(seed)
    while True:
        yield draw.randint(0, 1000) + draw.randint(0, 1000)
ANSWERS = answers({})
"""


def verdicts(jobs, **settings):
    with Sandbox(workers=1, **settings) as sandbox:
        return {done.completion_id: (done.verdict, done.random_seeds) for done in sandbox.run(jobs)}


def test_the_numbers_of_the_tests_can_not_be_foreseen_and_a_solution_passes_with_any():
    texts = ["    return a + b\n", *(KNOWS_THE_SEED.format(seed) for seed in ("0", "None", "2**32 - 1"))]
    found = verdicts(Job("add", i, ADD, text) for i, text in enumerate(texts))
    assert found.pop(0) == ("passed", 3)
    assert set(found.values()) == {("failed", 1)}


IS_A_LIST = Problem(
    task_id="kind",
    prompt="def f():\n",
    test="def check(candidate):\n    x = candidate()\n    assert type(x) is list or isinstance(x, dict)\n",
    entry_point="f",
    canonical_solution="    return [1]\n",
)


@pytest.mark.parametrize(
    ("body", "verdict"),
    [
        ("    return [1]\n", "passed"),
        ("    return type('L', (list,), {})([1])\n", "failed"),
        ("    from collections import UserList\n    return UserList([1])\n", "failed"),
        ("    from collections import UserDict\n    return UserDict(a=1)\n", "failed"),
        ("    from types import MappingProxyType\n    return MappingProxyType({})\n", "failed"),
        ("    return type('D', (dict,), {})(a=1)\n", "passed"),
    ],
)
def test_a_value_is_of_the_type_that_it_is_of_in_plain_python(body, verdict):
    assert verdicts([Job("kind", 0, IS_A_LIST, body)])[0][0] == verdict


RANDOM = ("random_ignores_argument.jsonl", "random_predicted.jsonl")


@pytest.mark.parametrize("name", RANDOM)
def test_public_programs_that_foresee_human_evals_numbers_fail(name):
    problems = {problem.task_id: problem for problem in load_problems("humaneval", environment={}).problems}
    rows = [json.loads(line) for line in shared_or_skip(f"data/sandbox/{name}").read_text().splitlines()]
    found = verdicts(Job(row["task_id"], i, problems[row["task_id"]], row["completion"]) for i, row in enumerate(rows))
    assert {verdict for verdict, _ in found.values()} == {"failed"}


@pytest.mark.parametrize("packages", [(), ("numpy",)], ids=["without numpy", "with numpy"])
def test_an_infinity_of_few_bits_equals_no_large_number(packages):
    path = shared_or_skip("data/sandbox/numpy_inf_problems.jsonl")
    rows = [json.loads(line) for line in shared_or_skip("data/sandbox/numpy_inf.jsonl").read_text().splitlines()]
    problems = {problem.task_id: problem for problem in load_problems(path, environment={}).problems}
    jobs = [Job(row["task_id"], i, problems[row["task_id"]], row["completion"]) for i, row in enumerate(rows)]
    assert {verdict for verdict, _ in verdicts(jobs, packages=packages).values()} == {"failed"}


EVALUATED = Problem(
    task_id="text",
    prompt="def f():\n",
    test="def check(candidate):\n    assert eval(candidate()) == 2\n",
    entry_point="f",
    canonical_solution="    return '1 + 1'\n",
)


def test_what_a_program_answers_is_never_run_in_the_judge(tmp_path):
    reached = tmp_path / "reached"
    text = f"    return 'open({str(reached)!r}, \"w\").close() or 2'\n"
    with Sandbox(workers=1) as sandbox:
        assert sandbox.calibrate([EVALUATED], []).in_process == {"text"}
        executions = list(sandbox.run([Job("text", 0, EVALUATED, text)]))
    assert [execution.verdict for execution in executions] == ["not_judged"]
    assert not reached.exists()


@pytest.mark.parametrize("leave", ["os._exit(0)", "os.fork()"])
def test_tests_that_end_or_double_the_judge_move_no_verdict_to_another_program(add, leave):
    test = f"import os\n{add.test}    if candidate(7, 7) != 14: {leave}\n"
    leaving = Problem("leaving", add.prompt, test, "add", add.canonical_solution)
    jobs = [Job("leaving", 0, leaving, "    return 5 if a == 2 else 0\n")]
    jobs += [Job("add", n, add, f"    return a + b + {n % 2}\n") for n in range(1, 7)]
    with Sandbox(workers=1) as sandbox:
        found = {done.completion_id: done.verdict for done in sandbox.run(jobs) if done.completion_id}
    assert found == {n: "failed" if n % 2 else "passed" for n in range(1, 7)}
