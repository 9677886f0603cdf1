"""Tests on inputs in a real sandbox: base and plus apart, as EvalPlus decides them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from evalharness.records import InputTests, Problem, Verdict
from evalharness.sandbox import Job, Limits, Sandbox

HALF = Problem(
    task_id="half",
    prompt="def half(number):\n",
    entry_point="half",
    canonical_solution="    return number / 2\n",
    test="",
    inputs=InputTests(base="[[2], [8]]", plus="[[3], [-5], [0]]"),
)
ACCEPTS_POSITIVE = "def accepts_inputs(number):\n    return number >= 0\n"
LIMITS = Limits(cpu_s=5.0, memory_bytes=512 << 20)


@pytest.fixture(scope="module")
def judge(tmp_path_factory):
    """Whether a text passes base and all tests, with what is said of it."""
    with Sandbox(limits=LIMITS, workers=1, references=tmp_path_factory.mktemp("references")) as sandbox:

        def execution_of(text, problem=HALF, **inputs):
            problem = replace(problem, inputs=replace(problem.inputs, **inputs))
            return next(sandbox.run([Job(problem.task_id, 0, problem, text)]))

        yield execution_of


def verdicts(execution):
    return execution.base, execution.verdict


@pytest.mark.parametrize(
    ("text", "base", "whole"),
    [
        (HALF.canonical_solution, "passed", "passed"),
        ("    return number // 2\n", "passed", "failed"),
        ("    return number\n", "failed", "failed"),
        ("    return 2 / (number - 2)\n", "failed", "failed"),
        ("    return 1 / 0 if number < 0 else number / 2\n", "passed", "failed"),
        ("    while number < 0: pass\n    return number / 2\n", "passed", "timed_out"),
        ("    while True: pass\n", "timed_out", "timed_out"),
        ("    import os; os._exit(0)\n", "failed", "failed"),
        ("    return bytearray(1 << 40)\n", "out_of_memory", "out_of_memory"),
        ("    pass\nhalf = None\n", "failed", "failed"),
        ("    return [number / 2, print('x')][0]\n", "passed", "passed"),
    ],
)
def test_base_and_plus_have_a_verdict_each(judge, text, base, whole):
    assert verdicts(judge(text)) == (Verdict(base), Verdict(whole))


def test_base_tests_stay_passed_if_the_program_waits_for_ever_afterwards(tmp_path):
    text = "    import time; time.sleep(60 if number < 0 else 0)\n    return number / 2\n"
    with Sandbox(limits=replace(LIMITS, wall_s=0.3), workers=1, references=tmp_path) as sandbox:
        waits = next(sandbox.run([Job("half", 0, HALF, text)]))
    assert verdicts(waits) == (Verdict.PASSED, Verdict.TIMED_OUT)


def test_a_call_that_is_too_slow_is_named_with_its_limit(judge):
    slow = judge("    while number < 0: pass\n    return number / 2\n")
    assert f"{LIMITS.cpu_s / 5:g}" in slow.detail
    assert "plus" in slow.detail


def test_each_part_has_a_process_of_its_own(judge):
    text = "    seen.append(number)\n    return number / 2 if len(seen) <= 3 else None\nseen = []\n"
    assert judge(text).verdict is Verdict.PASSED


BELOW_ZERO = "    if number < 0: {instead}\n    return number / 2\n"


@pytest.mark.parametrize(
    ("solution_below_zero", "is_test"),
    [("return number / 2", True), ("raise ValueError", False), ("return float('nan')", False)],
)
def test_inputs_that_break_the_contract_are_tests_if_the_canonical_solution_has_a_right_answer(
    judge, solution_below_zero, is_test
):
    problem = replace(HALF, canonical_solution=BELOW_ZERO.format(instead=solution_below_zero))
    wrong = judge(BELOW_ZERO.format(instead="return None"), problem, contract=ACCEPTS_POSITIVE)
    assert wrong.verdict is (Verdict.FAILED if is_test else Verdict.PASSED)


def test_an_input_whose_answer_needs_more_memory_than_there_is_is_left_out(judge):
    problem = replace(HALF, canonical_solution="    return number / 2 if number < 5 else [0] * (1 << 40)\n")
    assert judge(HALF.canonical_solution, problem, base="[[2]]", plus="[[3], [8]]").verdict is Verdict.PASSED
    assert judge("    return 1.0\n", problem, base="[[2]]", plus="[[3], [8]]").verdict is Verdict.FAILED


@pytest.mark.parametrize(
    "liar",
    [
        "    class Liar:\n        __eq__ = lambda *_: True\n    return Liar()\n",
        "    class Liar(float):\n        __eq__ = lambda *_: True\n    return Liar(7.5)\n",
        "    import marshal\n    marshal.dumps = lambda *_: b'T'\n    return None\n",
        "    yield number / 2\n",
    ],
)
def test_what_claims_to_be_equal_is_not(judge, liar):
    assert judge(liar).verdict is Verdict.FAILED


def test_a_program_that_writes_answers_of_its_own_has_no_more_than_claimed_them(judge):
    frame = r"b'\x0a\x00\x00\x00A' + b'm' + bytes(8)"
    assert judge(f"    import os\n    os.write(3, {frame})\n    return number\n").verdict is Verdict.FAILED


def test_a_canonical_solution_that_does_not_answer_is_no_fault_of_a_completion(judge):
    broken = replace(HALF, canonical_solution="    raise ValueError(number)\n")
    found = judge(HALF.canonical_solution, broken)
    assert found.verdict is Verdict.NOT_JUDGED
    assert "ValueError" in found.detail


def test_ten_megabytes_are_an_answer(judge):
    many = replace(HALF, prompt="def half(number):\n    ", canonical_solution="return [i / 2 for i in range(number)]\n")
    big = {"base": "[[1200000]]", "plus": "[[1200001]]"}
    assert judge(many.canonical_solution, many, **big).verdict is Verdict.PASSED
    as_integers = "return [i // 2 if i % 2 == 0 else i / 2 for i in range(number)]\n"
    assert judge(as_integers, many, **big).verdict is Verdict.PASSED
    assert judge("return [0.0] * number\n", many, **big).verdict is Verdict.FAILED


def test_a_program_must_define_its_function_even_if_it_is_never_called(judge):
    nothing = {"base": "[]", "plus": "[]"}
    assert judge(HALF.canonical_solution, **nothing).verdict is Verdict.PASSED
    assert judge("    pass\ndel half\n", **nothing).verdict is Verdict.FAILED


def test_the_canonical_solutions_answers_are_kept_for_the_next_sandbox(tmp_path):
    times = []
    for text in (HALF.canonical_solution, "    return number // 2\n"):
        with Sandbox(workers=1, references=tmp_path) as sandbox:
            calibration = sandbox.calibrate([HALF], [])
            found = next(sandbox.run([Job("half", 0, HALF, text)]))
        times.append((calibration.problems, found.verdict.value, [file.suffix for file in tmp_path.iterdir()]))
    assert times == [(1, "passed", [".answers"]), (0, "failed", [".answers"])]


def test_how_long_the_canonical_solution_takes_is_known_once_it_has_answered(tmp_path):
    slow = replace(HALF, canonical_solution="    return sum(range(400_000)) * 0 + number / 2\n")
    with Sandbox(workers=1, references=tmp_path) as sandbox:
        assert sandbox.seconds_of(slow) == 0
        for problem in (HALF, slow):
            next(sandbox.run([Job(problem.task_id, 0, problem, problem.canonical_solution)]))
        assert 0 <= sandbox.seconds_of(HALF) < sandbox.seconds_of(slow)
        assert sandbox.seconds_of(replace(HALF, inputs=None)) == 0


def test_a_kept_file_that_is_broken_is_made_anew(tmp_path):
    for _ in range(2):
        with Sandbox(workers=1, references=tmp_path) as sandbox:
            assert next(sandbox.run([Job("half", 0, HALF, HALF.canonical_solution)])).verdict is Verdict.PASSED
        (kept,) = tmp_path.iterdir()
        kept.write_bytes(kept.read_bytes()[:-9])


def test_a_canonical_solution_that_fails_its_own_tests_is_named_in_every_run(tmp_path):
    broken = replace(HALF, canonical_solution="    return float('nan')\n")
    for _ in range(2):
        with Sandbox(workers=1, references=tmp_path) as sandbox:
            assert len(sandbox.calibrate([broken], []).faults) == 1
