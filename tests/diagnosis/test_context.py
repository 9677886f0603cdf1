import pytest
from scripted import problem, scripted, seen, split, subject
from small_training import CONTEXT

from evalharness.diagnosis.data.rows import DataRow
from evalharness.diagnosis.measured import Measured
from evalharness.diagnosis.probes.context import context
from evalharness.records import Finding, NotTestable, RuledOut

SHORT, LONG = DataRow("def f():\n", "    return 1\n"), DataRow("def f():\n", "#" * 200)


def test_rows_that_are_cut_are_counted_and_found():
    (found,) = context(Measured(subject(train=split([SHORT] * 40 + [LONG] * 10))))
    assert isinstance(found, Finding)
    assert found.severity == "contributing"
    assert found.evidence["training rows"] == {"too_long": 10, "of": 50}


def test_rows_whose_prompt_alone_fills_the_context_are_counted_too():
    rows = [SHORT] * 20 + [DataRow("#" * 200, "x")] * 20
    made = subject(train=split(rows))
    train = made.train
    kept = tuple(row for row in train.encoded if row.row < 20)
    (found,) = context(Measured(subject(train=type(train)(train.rows, kept, "t"))))
    assert found.evidence["training rows"] == {"too_long": 20, "of": 40}


def test_prompts_that_leave_no_room_are_counted_and_found():
    problems = [problem(str(i), "#" * (CONTEXT if i % 2 else CONTEXT - 1)) for i in range(20)]
    (found,) = context(Measured(subject(problems=tuple(problems))))
    assert found.severity == "note"
    assert found.evidence["problem prompts"] == {"too_long": 10, "of": 20}


def test_one_row_that_is_too_long_is_no_finding():
    found = context(Measured(subject(train=split([SHORT] * 99 + [LONG]))))
    assert isinstance(found, RuledOut)
    assert found.evidence["training rows"] == {"too_long": 1, "of": 100}


def beyond(text, reason="max_new_tokens", before=""):
    problems = [problem(str(i), f"{before}def f{i}():\n") for i in range(20)]
    observed = tuple(seen(p, text, reason=reason) for p in problems)
    return context(Measured(subject(train=split([SHORT] * 20), problems=tuple(problems), observed=observed)))


def test_completions_that_go_wrong_beyond_what_was_trained_are_found():
    (found,) = beyond("    return 12345\n" + "x = 1\n" * 10)
    assert found.evidence["longest_training_row_tokens"] == 22
    assert found.evidence["wrong_from_beyond"] == 20
    assert found.severity == "contributing"


def test_prompts_that_are_all_longer_than_training_rows_are_a_matter_of_the_problems():
    (found,) = beyond("    return 12345\n" + "x = 1\n" * 10, before="# of another kind\n")
    assert found.severity == "note"


def test_completions_that_go_wrong_before_are_not_laid_to_it():
    found = beyond("\n" * 60)
    assert isinstance(found, RuledOut)
    assert found.evidence["completions_beyond_training"] == 20
    assert found.evidence["wrong_from_within"] == 20


def test_completions_that_stop_in_time_are_cleared():
    assert isinstance(beyond("    return\n", "end_token"), RuledOut)


def test_a_model_without_a_longest_input_is_judged_by_its_training_rows_alone():
    model = scripted(context_length=None)
    found = context(Measured(subject(model, train=split([SHORT]))))
    assert isinstance(found, RuledOut)
    assert found.evidence["context_tokens"] is None
    assert isinstance(context(Measured(subject(model))), NotTestable)


@pytest.mark.parametrize("more", [{}, {"validation": split([])}])
def test_without_rows_and_problems_it_is_not_testable(more):
    assert isinstance(context(Measured(subject(**more))), NotTestable)
