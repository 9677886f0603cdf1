"""Scorecards of older versions, as they were written then: the shipped pair's, at their last step."""

import json
from pathlib import Path

import pytest

from evalharness.records import SCHEMA_VERSION, Incomplete, IsolationInfo
from evalharness.runs.json_values import plain
from evalharness.runs.scorecard_json import from_json

OLD = sorted(Path(__file__).parent.joinpath("old_scorecards").glob("*_version_4.json"))
CHANGED = {"schema_version", "protocol", "not_testable", "incomplete"}
"""The fields that version 5 has in another form."""


@pytest.fixture(params=OLD, ids=lambda file: file.stem)
def content(request):
    return json.loads(request.param.read_text(encoding="utf-8"))


OF_OTHER_CHECKPOINTS = ("commit", "quantisation")
"""Fields of checkpoints of the hub, and of packed weights: version 4 did not have them."""


def test_there_is_an_old_scorecard_of_each_model():
    assert [file.stem for file in OLD] == ["causal_version_4", "leaky_version_4"]


def test_every_field_that_did_not_change_is_read_as_it_was_written(content):
    assert content["schema_version"] == 4
    read = plain(from_json(json.dumps(content)))
    assert read["schema_version"] == SCHEMA_VERSION
    for outcome in (*read["findings"], *read["ruled_out"]):
        assert outcome.pop("package") is None, "a field that version 4 did not have"
    assert read["loss"].pop("honest_checked") is None, "another one"
    assert read["loss"].pop("honest_after_prompt") is False, "one of a model that no old scorecard is of"
    assert read["loss"].pop("log") is None, "one that says which log was read"
    assert read["checkpoint"].pop("model") == "", "what its run is called was not recorded"
    assert {name: read["checkpoint"].pop(name) for name in OF_OTHER_CHECKPOINTS} == dict.fromkeys(OF_OTHER_CHECKPOINTS)
    unchanged = content.keys() - CHANGED
    assert {name: read[name] for name in unchanged} == {name: content[name] for name in unchanged}


def test_the_protocol_has_its_isolation_as_a_level_and_the_rest_as_it_was(content):
    protocol = from_json(json.dumps(content)).protocol
    written = content["protocol"]
    assert protocol.isolation == IsolationInfo(
        "A", "namespaces, a root of its own, Landlock, seccomp", tuple(written["isolation_lacks"])
    )
    rest = written.keys() - {"isolation", "isolation_lacks"}
    read = plain(protocol)
    assert [problem_set.pop("release") for problem_set in read["problems"]] == [None, None]
    assert {name: read[name] for name in rest} == {name: written[name] for name in rest}


def test_programs_that_were_not_run_have_no_isolation(content):
    content["protocol"] |= {"isolation": "not run", "isolation_lacks": []}
    assert from_json(json.dumps(content)).protocol.isolation is None


def test_what_could_not_be_tested_keeps_its_sentence_and_its_kind_is_not_recorded(content):
    read = from_json(json.dumps(content)).not_testable
    assert [(item.probe, item.reason) for item in read] == [(n["probe"], n["reason"]) for n in content["not_testable"]]
    assert {item.kind for item in read} == {"not_recorded"}


def test_what_is_incomplete_keeps_its_sentence_and_its_stage_is_not_recorded(content):
    content["incomplete"] = ["the loss could not be recomputed: NaN"]
    lacks = from_json(json.dumps(content)).incomplete
    assert lacks == (Incomplete("not_recorded", None, "the loss could not be recomputed: NaN"),)
