from dataclasses import replace

import pytest
from plants_leaks import LEAKS, leaky, writing
from small_sound import of, sound
from small_training import END, Characters, data_rows, encoded

from evalharness.degeneration import analyse
from evalharness.diagnosis.catalogue import catalogue
from evalharness.diagnosis.data.rows import TokenRow
from evalharness.diagnosis.examination import examine
from evalharness.diagnosis.measured import Measured
from evalharness.diagnosis.probes.last_position import last_position
from evalharness.diagnosis.subject import Observed, Split
from evalharness.records import Completion, Finding, NotTestable, Problem, RuledOut

pytestmark = pytest.mark.xdist_group("matrix")
LINE_END = 95


LEAK = Finding("future_leak", "cause", "a claim", {}, "a remedy")


def known_leak(family="plain", **more):
    return Measured(replace(leaky(family), **more), [LEAK])


def observed(*completions, stop_reason="max_new_tokens"):
    made = []
    for i, ids in enumerate(completions):
        text = Characters().decode(ids)
        problem = Problem(f"t/{i}", "def f():\n", "f", "    return 1\n", "")
        completion = Completion(problem.task_id, 0, text, tuple(ids), stop_reason, "greedy", (0.0,) * len(ids))
        made.append(Observed(problem, completion, analyse(text, tuple(ids))))
    return tuple(made)


def test_a_leaky_model_that_writes_what_its_rows_end_in_is_told_to_its_end():
    found = examine(Measured(writing("plain")), catalogue())
    assert found.findings[0].probe == "future_leak"
    chain = next(f for f in found.findings if f.probe == "last_position")
    assert chain.severity == "contributing"
    assert (chain.evidence["rows_ending_in_it"], chain.evidence["training_rows"]) == (600, 600)
    assert chain.evidence["token"] == LINE_END
    assert chain.evidence["generated_share_low"] > 0.5


def test_what_was_observed_is_used_before_anything_is_generated():
    def never(_prompts, _count):
        raise AssertionError("generated although completions are there")

    made = known_leak(generate=never, observed=observed(*[[LINE_END] * 30] * 6))
    found = last_position(made)
    assert isinstance(found, Finding)
    assert (found.evidence["token"], found.evidence["generated_tokens"]) == (LINE_END, 180)
    assert found.evidence["generated_share"] == 1.0


def test_rows_that_were_cut_count_as_they_were_cut():
    rows = tuple(TokenRow((5, 6, 7, LINE_END if i < 9 else 8), 1, 0, i, 9) for i in range(20))
    made = known_leak(train=Split((), rows, "train.jsonl"), observed=observed(*[[LINE_END] * 9] * 9))
    found = last_position(made)
    assert isinstance(found, RuledOut)
    assert found.evidence["rows_ending_in_it"] == 11
    assert found.evidence["token"] == 8


def test_a_leaky_model_that_writes_something_else_is_cleared():
    varied = [[10 + (i * j) % 60 for j in range(1, 30)] for i in range(1, 12)]
    assert isinstance(last_position(known_leak(observed=observed(*varied))), RuledOut)


def test_completions_that_end_at_once_are_the_end_token_that_the_rows_end_in():
    rows = data_rows(40, 1)
    train = Split(tuple(rows), encoded(rows, end=True), "train.jsonl")
    made = known_leak(train=train, observed=observed(*[[]] * 8, stop_reason="end_token"), end_ids=frozenset({END}))
    found = last_position(made)
    assert isinstance(found, Finding)
    assert found.evidence["token"] == END


def test_empty_completions_without_an_end_are_not_testable():
    assert isinstance(last_position(known_leak(generate=None, observed=observed([], []))), NotTestable)
    assert isinstance(last_position(known_leak(generate=None)), NotTestable)


def test_without_a_leak_there_is_nothing_to_ask():
    assert isinstance(last_position(Measured(of(sound("plain")))), NotTestable)


def test_the_examination_tells_the_probe_of_the_leak_that_it_found_or_was_told():
    made = replace(of(LEAKS["in the last layer"]("plain")), observed=observed(*[[LINE_END] * 9] * 9))
    rows = data_rows(40, 1)
    made = replace(made, train=Split(tuple(rows), encoded(rows), "train.jsonl"))
    first = examine(Measured(made), catalogue())
    assert "last_position" in {finding.probe for finding in first.findings}
    leak = next(finding for finding in first.findings if finding.probe == "future_leak")
    later = [probe for probe in catalogue() if probe.name == "last_position"]
    assert examine(Measured(made, [leak]), later).findings[0].probe == "last_position"
