"""The model card, as huggingface_hub's own parser reads it."""

from __future__ import annotations

import pytest
from huggingface_hub import ModelCard
from shipped_records import example_card

from evalharness.report.model_card import BEGIN, model_card

THEIRS = """---
language: en
license: apache-2.0
model-index:
- name: theirs
  results:
  - task: {type: text-generation}
    dataset: {type: openai/openai_humaneval, name: HumanEval}
    metrics:
    - {type: pass@k, name: pass@1, value: 0.5}
---
# Their model

Their words.
"""


def test_each_pass_rate_is_a_result_that_the_hubs_parser_reads():
    card = example_card("causal")
    results = ModelCard(model_card("", card)).data.eval_results
    found = {(r.dataset_name, r.metric_name): (r.metric_value, r.metric_args["ci95"]) for r in results}
    share = card.pass_at_k["warmup"]["greedy"]["1"]
    assert found["warmup", "pass@1 (greedy)"] == (
        pytest.approx(share.estimate, abs=1e-4),
        [pytest.approx(share.low, abs=1e-4), pytest.approx(share.high, abs=1e-4)],
    )
    assert len(results) == sum(len(by_k) for sets in card.pass_at_k.values() for by_k in sets.values())


def test_what_others_wrote_stays():
    written = ModelCard(model_card(THEIRS, example_card("causal")))
    assert (written.data.language, written.data.license, written.data.model_name) == ("en", "apache-2.0", "theirs")
    assert [r.metric_value for r in written.data.eval_results if r.metric_name == "pass@1"] == [0.5]
    assert written.text.startswith("# Their model\n\nTheir words.\n\n" + BEGIN)


def test_written_twice_it_is_the_same_and_with_another_score_the_new_one():
    once = model_card(THEIRS, example_card("causal"))
    assert model_card(once, example_card("causal")) == once
    other = model_card(once, example_card("leaky"))
    assert len(ModelCard(other).data.eval_results) == len(ModelCard(once).data.eval_results)
    assert other.count(BEGIN) == 1


def test_the_section_has_the_intervals_and_what_is_wrong():
    card = example_card("leaky")
    text = ModelCard(model_card("", card)).text
    assert "0.0 % [0.0, 6.0]" in text
    assert card.cause.claim in text


def test_a_new_card_is_named_as_asked():
    assert ModelCard(model_card("", example_card("causal"), "mine")).data.model_name == "mine"


def test_a_readme_without_metadata_gets_them_above_its_text():
    text = model_card("# Mine\n", example_card("causal"))
    assert ModelCard(text).text.startswith("# Mine\n\n" + BEGIN)
    assert text.count("---\n") == 2
