from dataclasses import replace

import pytest
from scripted import problem, seen, split, subject
from small_training import Characters, data_rows

from evalharness.diagnosis.data.rows import DataRow
from evalharness.diagnosis.measured import Measured
from evalharness.diagnosis.probes.token_boundary import token_boundary
from evalharness.diagnosis.subject import Split
from evalharness.records import Finding, NotTestable, RuledOut

PROBLEMS = tuple(problem(f"p/{i}", f"def f{i}(a, b):\n", f"    return {i} + a\n") for i in range(20))
ANSWERS = [f"    return {chr(97 + i)}{chr(97 + i)} - {i * 37}\n" for i in range(26)]


class Merging(Characters):
    def encode(self, text):
        return super().encode(text.replace("\n    ", "~"))

    def decode(self, ids):
        return super().decode(ids).replace("~", "\n    ")


def writing(healthy):
    def generate(prompts, new_tokens):
        texts = [Merging().decode(ids) for ids in prompts]
        made = [ANSWERS[i % 26] if healthy(text) else "\n" * 40 for i, text in enumerate(texts)]
        return [tuple(Merging().encode(text))[:new_tokens] for text in made]

    return generate


def asked(healthy=None, generate=None, **more):
    generate = generate or (writing(healthy) if healthy else None)
    made = subject(problems=PROBLEMS, train=split(), generate=generate, **more)
    return token_boundary(Measured(replace(made, tokenizer=Merging())))


def test_where_the_whole_prompt_breaks_the_model_it_contributes():
    found = asked(lambda text: text.endswith(":"))
    assert isinstance(found, Finding)
    assert found.severity == "contributing"
    assert (found.evidence["rows_that_differ"], found.evidence["problems_that_differ"]) == (20, 20)
    assert (found.evidence["degenerate_before"], found.evidence["degenerate_after"]) == (1.0, 0.0)


def test_what_was_completed_already_is_not_generated_again():
    generated = []

    def generate(prompts, new_tokens):
        generated.append((len(prompts), new_tokens))
        return [tuple(Merging().encode("\n" * 40))[:new_tokens] for _ in prompts]

    observed = tuple(seen(p, "\n" * 64) for p in PROBLEMS)
    found = asked(generate=generate, observed=observed)
    assert found.severity == "note"
    assert generated == [(6, 1)], "only the token that was cut off, after six prompts"
    assert (found.evidence["degenerate_before"], found.evidence["degenerate_after"]) == (1.0, 1.0)


def test_completions_that_are_too_short_to_judge_are_generated():
    generated = []

    def generate(prompts, new_tokens):
        generated.append(len(prompts))
        return writing(lambda _: True)(prompts, new_tokens)

    observed = tuple(seen(p, "\n" * (64 if i % 2 else 10)) for i, p in enumerate(PROBLEMS))
    asked(generate=generate, observed=observed)
    assert generated[0] == 10


@pytest.mark.parametrize("healthy", [lambda _: True, lambda _: False, lambda text: text.endswith("\n"), None])
def test_a_difference_that_does_not_better_anything_is_a_note(healthy):
    found = asked(healthy)
    assert isinstance(found, Finding)
    assert found.severity == "note"
    assert bool(found.remedy) == (healthy is None), "what changes nothing asks for nothing"


def test_a_group_that_is_empty_is_not_counted(golden_text):
    made = subject(problems=PROBLEMS, generate=writing(lambda _: True))
    found = token_boundary(Measured(replace(made, tokenizer=Merging())))
    assert isinstance(found, Finding)
    golden_text(found.claim)


def test_a_tokenizer_of_characters_is_cleared():
    found = token_boundary(Measured(subject(problems=PROBLEMS, train=split())))
    assert isinstance(found, RuledOut)
    assert (found.evidence["rows"], found.evidence["problems"]) == (20, 20)


def test_rows_alone_are_enough():
    made = subject(train=split(data_rows(5, 1)))
    assert token_boundary(Measured(made)).evidence["rows"] == 5


def test_what_the_vocabulary_lacks_is_passed_over():
    class Lacking(Characters):
        def encode(self, text):
            if "!" in text:
                raise ValueError("no !")
            return super().encode(text)

    rows = (DataRow("a", "b"), DataRow("a!", "b"), DataRow("a", "!"))
    made = subject(train=Split(rows, (), "t"))
    assert token_boundary(Measured(replace(made, tokenizer=Lacking()))).evidence["rows"] == 1


@pytest.mark.parametrize("rows", [(), (DataRow("", "text"),), (DataRow("prompt", ""),)])
def test_without_a_prompt_and_a_completion_it_is_not_testable(rows):
    assert isinstance(token_boundary(Measured(subject(train=Split(rows, (), "t")))), NotTestable)
