"""A probe that needs what the model does not offer is not testable, and never ruled out."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from scripted import problem, seen
from small_training import CONTEXT, subject
from small_training import plain as plain_module

from evalharness.diagnosis.catalogue import catalogue
from evalharness.diagnosis.examination import examine
from evalharness.diagnosis.measured import Measured
from evalharness.diagnosis.probe import Probe
from evalharness.models.torch.model import UncachedModel
from evalharness.records import Finding, LossPoint, NotTestable, RuledOut

SOLUTION = "    value = a + b\n    return value\n"
PROBLEMS = tuple(problem(f"t/{i}", f"def f{i}(a, b):\n", SOLUTION) for i in range(6))
LOG = (LossPoint(1, "validation", 4.0, "log"), LossPoint(2, "validation", 2.0, "log"))


class OnlyScores:
    """What an API gives that scores its input: log-probabilities of given ids. A real model computes them."""

    capabilities = frozenset({"ids_in", "prompt_logprobs"})
    context_length = CONTEXT

    def __init__(self, inner: UncachedModel) -> None:
        self._inner = inner

    def score(self, rows):
        return self._inner.score(rows)


def everything():
    """A subject of which everything is known that a probe may need, but for an adapter."""
    torch.manual_seed(0)
    made = subject(plain_module().eval().requires_grad_(requires_grad=False), end=True)
    observed = tuple(seen(p, "    return a\n", reason="end_token") for p in PROBLEMS)
    return replace(made, problems=PROBLEMS, log=LOG, logged=LOG[-1], observed=observed, verdict="healthy")


def scored_only():
    made = everything()
    return replace(made, model=OnlyScores(made.torch_model))


@pytest.fixture(scope="module")
def diagnosis():
    return examine(Measured(scored_only()), catalogue())


def outcomes(diagnosis):
    return (*diagnosis.findings, *diagnosis.ruled_out, *diagnosis.not_testable)


@pytest.mark.parametrize("probe", [probe for probe in catalogue() if probe.capabilities], ids=lambda probe: probe.name)
def test_a_probe_that_needs_logits_is_not_testable_by_log_probabilities_alone(diagnosis, probe, golden_text):
    (outcome,) = (o for o in outcomes(diagnosis) if o.probe == probe.name)
    assert isinstance(outcome, NotTestable)
    assert outcome.kind == "capability"
    golden_text(outcome.reason)


def test_probes_that_ask_nothing_of_the_model_are_still_answered(diagnosis):
    answered = {o.probe for o in outcomes(diagnosis) if isinstance(o, (Finding, RuledOut))}
    assert {"context", "overfit", "contamination", "token_boundary"} <= answered
    assert diagnosis.incomplete == ()


def test_log_probabilities_are_enough_for_the_test_of_memorised_solutions():
    pairs = zip(PROBLEMS, everything().train.rows, strict=False)
    rows = tuple(replace(row, prompt=p.prompt, completion=SOLUTION) for p, row in pairs)
    made = scored_only()
    made = replace(made, train=replace(made.train, rows=(*rows, *made.train.rows)))
    probes = [probe for probe in catalogue() if probe.name == "contamination"]
    found = examine(Measured(made), probes).findings[0]
    by_logits = examine(Measured(replace(made, model=everything().model)), probes).findings[0]
    assert found.evidence["renamed_seen"] == len(PROBLEMS)
    assert found.evidence == by_logits.evidence


def test_a_model_without_a_cache_is_said_to_give_none():
    probes = [probe for probe in catalogue() if probe.name == "cache_mismatch"]
    (outcome,) = examine(Measured(everything()), probes).not_testable
    assert outcome.kind == "does_not_apply"


def test_a_probe_that_forgot_to_say_what_it_needs_fails_and_rules_nothing_out():
    def forgetful(measured):
        measured.subject.torch_model.logits(torch.zeros((1, 2), dtype=torch.long))
        return RuledOut("forgetful", "a claim", {})

    probe = Probe(name="forgetful", question="?", run=forgetful, order=0, at_most="note", forward_passes=1)
    found = examine(Measured(scored_only()), [probe])
    assert [outcome.kind for outcome in found.not_testable] == ["failed"]
    assert found.ruled_out == ()
