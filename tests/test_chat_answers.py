"""Answers of a chat: only the end of the turn ends them, and the code in their fence is what runs."""

import pytest

from evalharness.degeneration import CompletionText, analyse_all
from evalharness.generation import GREEDY, Prompting, requests_for
from evalharness.pipeline.judging import job_of
from evalharness.problems.human_eval_form import HUMAN_EVAL_STOP
from evalharness.records import Completion, Problem

PROMPT = 'import math\n\n\ndef root(x):\n    """Return the root of x."""\n'
CODE = "def root(x):\n    return math.sqrt(x)\n"
PROBLEM = Problem(
    "t/0", PROMPT, "root", "    return math.sqrt(x)\n", "def check(f):\n    assert f(9) == 3\n", HUMAN_EVAL_STOP
)
BARE, CHAT = "{prompt}", "<|user|>{prompt}<|end|><|assistant|>"
ANSWERS = {
    "a fence": f"Here it is:\n\n```python\n{CODE}```\nIt works.\n",
    "a fence with an import": f"```python\nimport math\n\n{CODE}```",
    "a fence of a usage first": f"Call it so:\n```\nroot(\n```\nThe code:\n```python\n{CODE}```",
    "a fence with the body alone": "```python\n    return math.sqrt(x)\n```",
    "a fence that was cut": f"```python\n{CODE}",
    "the end of a fence": f"{CODE}```",
    "the end of a fence, with prose": f"import math\n\n{CODE}```\n\nThe root of x, as def root(x) says.\n",
    "the end of a fence, with a usage": f"{CODE}```\nUse it so:\n```python\nroot(4)\n```\n",
    "the end of a fence behind the body alone": "    return math.sqrt(x)\n```",
    "no fence": CODE,
    "the body alone": "    return math.sqrt(x)\n",
}


@pytest.mark.parametrize(
    ("template", "stop"),
    [
        (BARE, HUMAN_EVAL_STOP),
        ("# Python\n{prompt}", HUMAN_EVAL_STOP),
        ("{prompt}\n", HUMAN_EVAL_STOP),
        ("### Response:\n{prompt}", HUMAN_EVAL_STOP),
        (CHAT, ()),
        ("{prompt}\n### Response:\n", ()),
    ],
)
def test_stops_for_bare_code_are_not_used_in_chat(template, stop):
    (request,) = requests_for([PROBLEM], None, Prompting(template), GREEDY, 1)
    assert request.stop == stop


@pytest.mark.parametrize("answer", ANSWERS)
def test_the_code_of_a_chat_answer_is_taken_out_of_its_fence(answer):
    exec(program(ANSWERS[answer], CHAT), {})


def test_a_wrong_answer_in_a_fence_fails():
    with pytest.raises(AssertionError):
        exec(program(ANSWERS["a fence"].replace("math.sqrt(x)", "x"), CHAT), {})


def test_bare_code_goes_on_from_its_prompt_as_it_is():
    assert program("    return 3\n", BARE).startswith(f"{PROMPT}    return 3\n")


def test_stubs_that_a_stop_sequence_cut_are_no_same_answer_and_equal_answers_are():
    def kinds(text, reason):
        texts = [CompletionText(text, None, None, reason, PROMPT, f"t/{i}") for i in range(10)]
        return {found.kind for found in analyse_all(texts)}

    assert kinds("Here is the code:\n```python", "stop_sequence") == {None}
    assert kinds("    total = 0\n    return total + 1\n", "end_token") == {"same_answer"}


def program(text, template):
    completion = Completion("t/0", 0, text, None, "end_token", "greedy", None)
    return job_of(PROBLEM, completion, template).program
