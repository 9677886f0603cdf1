import json
import math
from dataclasses import replace
from importlib import resources
from pathlib import Path

import pytest

from evalharness.errors import StoreError
from evalharness.records import (
    SCHEMA_VERSION,
    CheckpointInfo,
    DegenerationRate,
    Finding,
    Incomplete,
    Interval,
    IsolationInfo,
    KindRate,
    Loss,
    MutualInformation,
    NotTestable,
    ProblemSetInfo,
    Programs,
    Protocol,
    RuledOut,
    Scorecard,
)
from evalharness.runs import scorecard_json

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
        isolation=IsolationInfo("A", "namespaces", ("nothing",)),
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
    not_testable=(NotTestable("log", "no_log", "there is none"),),
    incomplete=(Incomplete("diagnosis", "overfit", "ValueError"),),
)


def test_a_scorecard_comes_back_from_its_json():
    assert scorecard_json.from_json(scorecard_json.to_json(CARD)) == CARD


def test_the_same_scorecard_gives_the_same_bytes():
    assert scorecard_json.to_json(CARD) == scorecard_json.to_json(
        scorecard_json.from_json(scorecard_json.to_json(CARD))
    )


def test_an_interval_without_ends_comes_back():
    card = replace(CARD, loss=replace(CARD.loss, honest_nats=Interval(4.0, -math.inf, math.inf)))
    assert '"low": null' in scorecard_json.to_json(card)
    assert scorecard_json.from_json(scorecard_json.to_json(card)) == card


def test_what_is_not_finite_in_evidence_becomes_null():
    finding = replace(CARD.findings[0], evidence={"loss": math.nan, "all": [math.inf, 1]})
    text = scorecard_json.to_json(replace(CARD, findings=(finding,)))
    assert json.loads(text)["findings"][0]["evidence"] == {"loss": None, "all": [None, 1]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not a scorecard"),
        ("[]", "not a scorecard"),
        ("{}", "not a scorecard"),
        (f'{{"schema_version": {SCHEMA_VERSION}}}', "not a scorecard"),
        ('{"schema_version": 99}', "schema_version 99"),
    ],
)
def test_a_broken_scorecard_is_one_line(text, message):
    with pytest.raises(StoreError, match=message) as raised:
        scorecard_json.from_json(text)
    assert "\n" not in str(raised.value)


def test_the_packaged_schema_is_that_of_the_records():
    # To renew it after a change of the records: write json.dumps(schema(), indent=2) + "\n" to the file named here.
    packaged = resources.files("evalharness.runs").joinpath("scorecard.schema.json").read_text(encoding="utf-8")
    assert packaged == json.dumps(scorecard_json.schema(), indent=2) + "\n"


def test_every_key_of_a_scorecard_is_in_the_schema():
    schema, written = scorecard_json.schema(), json.loads(scorecard_json.to_json(CARD))
    assert set(written) == set(schema["properties"])
    assert set(written["protocol"]) == set(schema["$defs"]["Protocol"]["properties"])


def test_the_schema_lies_in_the_package():
    assert Path(str(resources.files("evalharness.runs"))).joinpath("scorecard.schema.json").is_file()
