"""A checkpoint has one recomputed and one honest loss: the same field wherever a figure of that name stands."""

from __future__ import annotations

from functools import cache

import pytest
from shipped_records import shipped_records

import evalharness
from evalharness.report import checkpoint_document, run_document
from evalharness.report.evidence import Evidence
from evalharness.report.loss_against_behaviour import losses_by_step
from evalharness.report.numbers import bits, nats, nats_interval
from evalharness.report.parts import Table, plain_text
from evalharness.report.run_evidence import OtherRun, Run

NAMES = ("leaky", "causal")


@cache
def frames(name: str):
    return evalharness.load_run(shipped_records() / name)


def run(name: str) -> Run:
    others = tuple(OtherRun(other, 1000, frames(other).scorecards[1000]) for other in NAMES if other != name)
    return Run(frames(name), name, name, (), (), others, (), {})


def table(document, column: str) -> list[dict[str, str]]:
    """The rows of the first table with such a column, each by its header."""
    found = next(part for part in document if isinstance(part, Table) and column in map(plain_text, part.header))
    return [dict(zip(map(plain_text, found.header), map(plain_text, row), strict=True)) for row in found.rows]


@pytest.mark.parametrize("name", NAMES)
def test_the_table_of_the_losses_of_a_run_has_those_of_its_scorecards(name: str):
    rows = {row["Step"]: row for row in table(run_document(run(name), {}), "Recomputed")}
    for step, card in frames(name).scorecards.items():
        row = rows[f"{step:,}"]
        assert row["Recomputed"] == nats(card.loss.recomputed_nats.estimate)
        assert row["Honest (no future tokens)"] == nats(card.loss.honest_nats.estimate)
        assert row["Honest, bits per byte"] == bits(card.loss.honest_bits_per_byte)


@pytest.mark.parametrize("name", NAMES)
def test_runs_beside_each_other_have_the_honest_losses_of_their_scorecards(name: str):
    for row in table(run_document(run(name), {}), "Honest loss"):
        assert row["Honest loss"] == nats_interval(frames(row["Run"]).scorecards[1000].loss.honest_nats)


@pytest.mark.parametrize("name", NAMES)
def test_behaviour_is_correlated_with_the_losses_of_the_scorecards(name: str):
    by_step = losses_by_step(frames(name))
    for step, card in frames(name).scorecards.items():
        assert by_step.loc[step, "recomputed"] == card.loss.recomputed_nats.estimate
        assert by_step.loc[step, "honest"] == card.loss.honest_nats.estimate


@pytest.mark.parametrize("name", NAMES)
def test_the_report_of_a_step_has_one_recomputed_and_one_honest_loss(name: str):
    for card in frames(name).scorecards.values():
        document = checkpoint_document(card, Evidence({}, (), str), {})
        rows = {row["Loss"]: row for row in table(document, "Loss")}
        loss = card.loss
        assert rows["recomputed"]["Nats per token"] == nats(loss.recomputed_nats.estimate)
        assert rows["honest (no future tokens)"]["Nats per token"] == nats(loss.honest_nats.estimate)
        assert loss.whole.after_nats.estimate == pytest.approx(loss.recomputed_nats.estimate)
        (whole,) = (row for row in table(document, "Target tokens") if row["Target tokens"] == "all")
        assert whole["Nats per token"] == rows["recomputed"]["Nats per token"]


@pytest.mark.parametrize("name", NAMES)
def test_the_rows_losses_have_the_mean_of_the_scorecard(name: str):
    for step, card in frames(name).scorecards.items():
        rows = frames(name).row_losses
        rows = rows[rows["step"] == step]
        for column, interval in (("parallel_nats", card.loss.recomputed_nats), ("honest_nats", card.loss.honest_nats)):
            mean = (rows[column] * rows["targets"]).sum() / rows["targets"].sum()
            assert mean == pytest.approx(interval.estimate, rel=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_no_probe_calls_another_figure_the_recomputed_or_the_honest_loss(name: str):
    for card in frames(name).scorecards.values():
        own = {"recomputed_nats": card.loss.recomputed_nats, "honest_nats": card.loss.honest_nats}
        for outcome in (*card.findings, *card.ruled_out):
            for key, interval in own.items():
                assert outcome.evidence.get(key, interval.estimate) == pytest.approx(interval.estimate)
