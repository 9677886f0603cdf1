"""Baselines: what is in the file, and everything that makes one be refused, with the reason."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from shipped_records import example_card, shipped_records

from evalharness.errors import BaselineError
from evalharness.gate.baseline import Baseline, baseline_of, compare, differences, read_baseline, to_json

FOLDER = shipped_records() / "causal" / "step_1000"
CARD = example_card("causal")
HERE = Path("baseline.json")


@pytest.fixture(scope="module")
def causal() -> Baseline:
    return baseline_of(CARD, FOLDER)


def test_a_baseline_counts_what_passed_of_each_problem(causal):
    greedy, sampled = causal.passed["warmup"]["greedy"], causal.passed["warmup"]["sampled"]
    assert (len(greedy), sum(passed for _, passed in greedy.values())) == (60, 27)
    assert {n for n, _ in sampled.values()} == {4}
    assert sum(passed for _, passed in sampled.values()) == 104


def test_it_is_read_back_as_it_was_and_is_small(causal, tmp_path):
    text = to_json(causal)
    (tmp_path / "b.json").write_text(text, encoding="utf-8")
    assert to_json(read_baseline(tmp_path / "b.json")) == text
    assert len(text) < 20_000


def test_one_from_before_there_was_a_setting_has_its_default(causal, tmp_path):
    content = json.loads(to_json(causal))
    del content["protocol"]["packages"]
    (tmp_path / "b.json").write_text(json.dumps(content), encoding="utf-8")
    then = read_baseline(tmp_path / "b.json")
    assert differences(then, causal.protocol) == []
    assert differences(then, {**causal.protocol, "packages": ["numpy"]}) == ["packages [] then, ['numpy'] now"]


def test_the_same_checkpoint_compares_with_itself(causal):
    found = compare(HERE, causal, causal)
    assert (found.problems, found.difference.estimate, found.p_fall) == (224, 0.0, 1.0)


def test_greedy_completions_are_compared_where_none_were_sampled(causal):
    alone = replace(causal, protocol={**causal.protocol, "samples": 0})
    assert compare(HERE, alone, alone).first.estimate == pytest.approx(28 / 224)


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("seed", 1, "seed 1 then, 0 now"),
        ("temperature", 0.2, "temperature 0.2 then, 0.8 now"),
        ("samples", 8, "samples 8 then, 4 now"),
        ("max_new_tokens", 64, "max_new_tokens 64 then, 320 now"),
    ],
)
def test_another_seed_or_decoding_is_refused_with_both_values(causal, name, value, reason, golden_text):
    then = replace(causal, protocol={**causal.protocol, name: value})
    with pytest.raises(BaselineError, match=reason) as caught:
        compare(HERE, then, causal)
    golden_text(caught.value)


def test_other_problems_are_refused_by_their_names_or_their_content(causal):
    sets = causal.protocol["problems"]
    fewer = replace(causal, protocol={**causal.protocol, "problems": sets[1:]})
    assert differences(fewer, causal.protocol) == ["problems warmup (60) then, humaneval (164), warmup (60) now"]
    changed = [*sets[:1], {**sets[1], "digest": "0"}]
    other = replace(causal, protocol={**causal.protocol, "problems": changed})
    assert differences(other, causal.protocol) == ["the problems of warmup have changed"]


BROKEN = {
    "not JSON": ("{", "not JSON"),
    "another file": ("{}", "it has no 'evalharness_baseline'"),
    "a list": ("[]", "it has no 'evalharness_baseline'"),
    "another version": ('{"evalharness_baseline": 99}', "version 99, this evalharness reads 1; renew it"),
    "nothing in it": ('{"evalharness_baseline": 1}', "broken baseline"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_one_line_with_its_path(tmp_path, name):
    text, reason = BROKEN[name]
    path = tmp_path / "b.json"
    path.write_text(text)
    with pytest.raises(BaselineError, match=reason) as caught:
        read_baseline(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("count", ["5 of 4", "x of 4", "0 of 0", "-1 of 4", 3])
def test_counts_that_can_not_be_are_refused(causal, tmp_path, count, golden_text):
    content = json.loads(to_json(causal))
    content["passed"]["warmup"]["greedy"]["warmup/0"] = count
    (tmp_path / "b.json").write_text(json.dumps(content))
    with pytest.raises(BaselineError) as error:
        read_baseline(tmp_path / "b.json")
    golden_text(error)


def test_one_that_lacks_results_is_refused_and_not_compared_over_what_is_left(causal, tmp_path, golden_text):
    content = json.loads(to_json(causal))
    rows = content["passed"]["warmup"]["sampled"]
    content["passed"]["warmup"]["sampled"] = dict(list(rows.items())[:1])
    (tmp_path / "b.json").write_text(json.dumps(content))
    with pytest.raises(BaselineError) as error:
        read_baseline(tmp_path / "b.json")
    golden_text(error)


def test_a_missing_one_says_how_it_is_made(tmp_path, golden_text):
    with pytest.raises(BaselineError) as error:
        read_baseline(tmp_path / "b.json")
    golden_text(error)
