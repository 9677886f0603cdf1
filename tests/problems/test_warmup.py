import ast
import doctest
import json
import re
from collections import Counter

import pytest

from evalharness.problems import humaneval, mbpp, warmup
from evalharness.problems.human_eval_form import HUMAN_EVAL_STOP
from evalharness.records import Problem

PROBLEMS = {problem.task_id: problem for problem in warmup.load()}
ROWS = {row["task_id"]: row for row in map(json.loads, warmup.PATH.read_text(encoding="utf-8").splitlines())}

each_problem = pytest.mark.parametrize("task_id", PROBLEMS)


def passes(problem: Problem, body: str) -> bool:
    """Whether the prompt with ``body`` passes; run in this process, for these programs are known to end."""
    program = f"{problem.prompt}{body}\n{problem.test}\ncheck({problem.entry_point})\n"
    try:
        exec(compile(program, problem.task_id, "exec"), {"__name__": "program"})
    except Exception:
        return False
    return True


def arguments(problem: Problem) -> list[str]:
    function = ast.parse(problem.prompt).body[-1]
    assert isinstance(function, ast.FunctionDef)
    return [argument.arg for argument in function.args.args]


def expected_values(problem: Problem) -> list[str]:
    return re.findall(r"(?:==|is) (.+)$", problem.test, flags=re.MULTILINE)


def sentence(docstring: str) -> str:
    """The words of a docstring before its examples, in lower case and without punctuation."""
    return " ".join(re.findall(r"\w+", docstring.partition(">>>")[0].lower()))


def docstring_of(problem: Problem) -> str:
    tree = ast.parse(problem.prompt)
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    return ast.get_docstring(functions[-1] if functions else tree) or ""


def test_there_are_sixty_problems_in_five_levels_of_twelve_from_easy_to_hard():
    levels = warmup.levels()
    assert list(PROBLEMS) == [f"warmup/{i}" for i in range(60)] == list(levels)
    assert Counter(levels.values()) == {1: 12, 2: 12, 3: 12, 4: 12, 5: 12}
    assert list(levels.values()) == sorted(levels.values())


def test_completions_end_where_human_evals_do():
    assert {problem.stop for problem in PROBLEMS.values()} == {HUMAN_EVAL_STOP}


@each_problem
def test_the_canonical_solution_passes(task_id):
    assert passes(PROBLEMS[task_id], PROBLEMS[task_id].canonical_solution)


@pytest.mark.parametrize("body", ["", "    pass\n"], ids=["nothing", "pass"])
@each_problem
def test_an_empty_body_fails(task_id, body):
    assert not passes(PROBLEMS[task_id], body)


@each_problem
def test_the_plausible_wrong_answer_compiles_and_fails(task_id):
    problem, wrong = PROBLEMS[task_id], ROWS[task_id]["wrong_solution"]
    compile(problem.prompt + wrong, task_id, "exec")
    assert not passes(problem, wrong)


@each_problem
def test_no_constant_and_no_argument_handed_back_passes(task_id):
    problem = PROBLEMS[task_id]
    constants = {"0", "1", "-1", "True", "False", "''", "[]", "{}", *expected_values(problem)}
    for answer in [*sorted(constants), *arguments(problem)]:
        assert not passes(problem, f"    return {answer}\n"), answer


@each_problem
def test_the_test_has_five_to_ten_asserts_with_different_outcomes(task_id):
    problem = PROBLEMS[task_id]
    assert problem.test.startswith("def check(candidate):\n    assert candidate(")
    assert 5 <= problem.test.count("\n    assert candidate(") <= 10
    assert len(set(expected_values(problem))) > 1


@each_problem
def test_the_examples_in_the_docstring_are_true(task_id):
    problem = PROBLEMS[task_id]
    namespace: dict[str, object] = {}
    exec(problem.prompt + problem.canonical_solution, namespace)
    example = doctest.DocTestParser().get_doctest(docstring_of(problem), namespace, task_id, None, 0)
    assert 1 <= len(example.examples) <= 2
    assert doctest.DocTestRunner(verbose=False).run(example).failed == 0


@each_problem
def test_the_prompt_is_one_bare_function_in_human_evals_shape(task_id):
    problem = PROBLEMS[task_id]
    head, opening, *_ = problem.prompt.split("\n")
    assert head == f"def {problem.entry_point}({', '.join(arguments(problem))}):"
    assert re.fullmatch(r' {4}"""Return [^\n]+\.', opening)
    assert problem.prompt.endswith('\n    """\n')
    assert problem.canonical_solution.startswith("    ")
    assert problem.canonical_solution.endswith("\n")
    assert max(map(len, problem.prompt.split("\n"))) <= 120


@pytest.mark.parametrize("task_id", [task_id for task_id, level in warmup.levels().items() if level <= 2])
def test_the_first_two_levels_take_one_line(task_id):
    assert re.fullmatch(r" {4}return [^\n]+\n", PROBLEMS[task_id].canonical_solution)


def test_no_sentence_is_one_of_human_evals():
    theirs = {sentence(docstring_of(problem)) for problem in humaneval.load()}
    assert len(theirs) > 150  # a few begin with an example or say the same
    assert not theirs & {sentence(docstring_of(problem)) for problem in PROBLEMS.values()}


def test_no_sentence_is_one_of_mbpps(mbpp_file):
    problems = mbpp.load({"mbpp": mbpp_file}, ids=mbpp.ALL_IDS)
    openings = r"^write a (?:python )?function (?:to|that|which) "
    theirs = {re.sub(openings, "return ", sentence(problem.prompt.split("\n")[1])) for problem in problems}
    assert not theirs & {sentence(docstring_of(problem)) for problem in PROBLEMS.values()}


def test_no_two_problems_share_a_name_or_a_sentence():
    assert len({problem.entry_point for problem in PROBLEMS.values()}) == 60
    assert len({sentence(docstring_of(problem)) for problem in PROBLEMS.values()}) == 60
