import json
import math
from dataclasses import replace
from importlib import resources
from pathlib import Path

import pytest

from evalharness.degeneration import analyse
from evalharness.errors import StoreError
from evalharness.records import (
    SCHEMA_VERSION,
    CheckpointInfo,
    Completion,
    DegenerationRate,
    Execution,
    Finding,
    Interval,
    KindRate,
    Loss,
    MutualInformation,
    NotTestable,
    ProblemSetInfo,
    Programs,
    Protocol,
    RuledOut,
    Scorecard,
    Verdict,
)
from evalharness.runs import scorecard as cards

CARD = Scorecard(
    checkpoint=CheckpointInfo("ckpt/é", "f00d", 600, 1_000_000, "torch module", ("a note",)),
    protocol=Protocol(
        problems=(ProblemSetInfo("warmup", 60, "abc"),),
        samples=4,
        temperature=0.8,
        top_p=1.0,
        top_k=0,
        seed=0,
        max_new_tokens=256,
        stop_loops=True,
        attention="leaks",
        exact_lengths=True,
        device="cpu",
        dtype="float32",
        isolation="A (namespaces)",
        isolation_lacks=("nothing",),
        packages=("numpy",),
        versions={"torch": "2"},
    ),
    loss=Loss(0.1, "train.log:3", Interval(0.1, 0.05, 0.15), Interval(4.0, 3.9, 4.1), "mean over 9 targets"),
    pass_at_k={"warmup": {"greedy": {"1": Interval(0.5, 0.4, 0.6)}}},
    outcomes={"warmup": {"greedy": {"passed": 30, "failed": 30}}},
    programs=Programs(120, 90, 5.0),
    degeneration={
        "greedy": DegenerationRate(
            rate=0.9,
            low=0.8,
            high=0.95,
            completions=60,
            kinds={"newline": KindRate(54, 0.9, 0.8, 0.95)},
            shares={"parses": Interval(0.1, 0.05, 0.2)},
            mutual_information=MutualInformation(Interval(0.2, 0.1, 0.3), 4.1, Interval(0.05, 0.0, 0.1), 60),
        )
    },
    verdict="collapsed",
    verdict_reason="most of it loops",
    findings=(Finding("future_leak", "cause", "It leaks.", {"trials": 9, "change": 0.5}, "Mask it."),),
    ruled_out=(RuledOut("adapter", "It is there.", {"norm": 1.0}),),
    not_testable=(NotTestable("log", "there is none"),),
    incomplete=("one completion was not judged",),
)


def test_a_scorecard_comes_back_from_its_json():
    assert cards.from_json(cards.to_json(CARD)) == CARD


def test_the_same_scorecard_gives_the_same_bytes():
    assert cards.to_json(CARD) == cards.to_json(cards.from_json(cards.to_json(CARD)))


def test_an_interval_without_ends_comes_back():
    card = replace(CARD, loss=replace(CARD.loss, honest_nats=Interval(4.0, -math.inf, math.inf)))
    assert '"low": null' in cards.to_json(card)
    assert cards.from_json(cards.to_json(card)) == card


def test_what_is_not_finite_in_evidence_becomes_null():
    finding = replace(CARD.findings[0], evidence={"loss": math.nan, "all": [math.inf, 1]})
    text = cards.to_json(replace(CARD, findings=(finding,)))
    assert json.loads(text)["findings"][0]["evidence"] == {"loss": None, "all": [None, 1]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not a scorecard"),
        ("[]", "not a scorecard"),
        ("{}", "not a scorecard"),
        (f'{{"schema_version": {SCHEMA_VERSION}}}', "not a scorecard"),
        ('{"schema_version": 99}', f"schema_version 99, this evalharness reads {SCHEMA_VERSION}"),
    ],
)
def test_a_broken_scorecard_is_one_line(text, message):
    with pytest.raises(StoreError, match=message) as raised:
        cards.from_json(text)
    assert "\n" not in str(raised.value)


def test_the_packaged_schema_is_that_of_the_records():
    # To renew it after a change of the records: write json.dumps(schema(), indent=2) + "\n" to the file named here.
    packaged = resources.files("evalharness").joinpath("scorecard.schema.json").read_text(encoding="utf-8")
    assert packaged == json.dumps(cards.schema(), indent=2) + "\n"


def test_every_key_of_a_scorecard_is_in_the_schema():
    schema, written = cards.schema(), json.loads(cards.to_json(CARD))
    assert set(written) == set(schema["properties"])
    assert set(written["protocol"]) == set(schema["$defs"]["Protocol"]["properties"])


def execution(task, verdict, completion_id=0):
    return Execution(task, completion_id, verdict, "", "apart", 0.1, 0.1, 1)


def test_pass_at_k_is_over_problems_and_only_for_k_that_each_has():
    found = cards.pass_at_k(
        [execution("a", Verdict.PASSED, 0), execution("a", Verdict.FAILED, 1)]
        + [execution("b", Verdict.FAILED, i) for i in range(2)],
        [4, 2, 1, 1],
    )
    assert {k: v.estimate for k, v in found.items()} == {"1": 0.25, "2": 0.5}


def test_a_prompt_that_did_not_fit_counts_as_not_passed_and_what_was_not_judged_as_nothing():
    verdicts = {"a": Verdict.PASSED, "b": Verdict.PROMPT_TOO_LONG, "c": Verdict.NOT_JUDGED}
    found = cards.pass_at_k([execution(task, verdict) for task, verdict in verdicts.items()], [1])
    assert found["1"].estimate == 0.5


def test_without_executions_there_is_no_pass_at_k():
    assert cards.pass_at_k([], [1]) == {}
    assert cards.pass_at_k([execution("a", Verdict.NOT_JUDGED)], [1]) == {}


def test_outcomes_are_counted_in_the_order_of_the_verdicts():
    found = cards.outcomes(execution("a", v) for v in (Verdict.CRASHED, Verdict.PASSED, Verdict.CRASHED))
    assert list(found.items()) == [("passed", 1), ("crashed", 2)]


def completion(task, text, reason="max_new_tokens"):
    return Completion(task, 0, text, (), reason, "greedy", ())


def test_the_share_of_degenerate_completions_leaves_out_what_was_not_begun():
    completions = [
        completion("a", "\n" * 300, "loop"),
        completion("b", "    return a + b\n", "end_token"),
        completion("c", "", "prompt_too_long"),
    ]
    analyses = [analyse(c.text, stop_reason=c.stop_reason) for c in completions]
    found = cards.degeneration_rate(completions, analyses, 0)
    assert (found.rate, found.completions) == (0.5, 2)
    assert found.kinds == {"newline": KindRate(1, 0.5, found.low, found.high)}
    assert {name: share.estimate for name, share in found.shares.items()} == {
        "ended_by_itself": 0.5,
        "parses": 0.5,
        "parses_with_prompt": 0.0,
        "loop_ran_to_limit": 0.5,
        "loop_after_answer": 0.0,
    }
    assert found.mutual_information is None


def test_several_completions_a_problem_tell_how_far_they_depend_on_it():
    texts = {f"task {n}": f"    return value_{n} + other_{n}\n" for n in range(6)}
    completions = [completion(task, text, "end_token") for task, text in texts.items() for _ in range(2)]
    found = cards.degeneration_rate(completions, [analyse(c.text, stop_reason=c.stop_reason) for c in completions], 0)
    assert found.mutual_information.problems == 6
    assert found.mutual_information.own_fits_best.estimate == 1.0
    assert found.mutual_information.nats.estimate > 1.0


def test_where_nothing_was_begun_there_is_no_share():
    refused = completion("c", "", "prompt_not_encodable")
    assert cards.degeneration_rate([refused], [analyse("", stop_reason="prompt_not_encodable")], 0) is None


def test_the_schema_lies_in_the_package():
    assert Path(str(resources.files("evalharness"))).joinpath("scorecard.schema.json").is_file()
