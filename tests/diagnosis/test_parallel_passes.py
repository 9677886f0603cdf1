"""Rows that several probes measure are read once, and what a large model need not read it does not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from leak_models import Decoder, causal, full, model, rows
from test_conventions import few_rows, reference

from evalharness.diagnosis import Measured, TokenRow
from evalharness.diagnosis.losses.parallel_passes import ParallelPasses
from evalharness.diagnosis.losses.token_losses import token_losses
from evalharness.diagnosis.probes.padding_in_loss import padding_in_loss
from evalharness.records import LEAK, LossPoint, RuledOut

ENDS = (1, 2)
ROWS = [TokenRow((*row[: 10 + 3 * i], 5), 4) for i, row in enumerate(rows(count=6))]
ENDED = [replace(row, ids=(*row.ids, ENDS[0])) for row in ROWS]
ARRAYS = ("nll_nats", "at_offset_nats", "mean_nll_nats", "end_log_p", "end_rank", "best")


def counting(tested):
    """The lengths of the inputs that a model reads from now on."""
    read, logits = [], tested.logits
    tested.logits = lambda ids: read.append(ids.shape[1]) or logits(ids)
    return read


@pytest.mark.parametrize("first", [ROWS, ENDED])
def test_a_causal_model_reads_a_row_and_its_end_once(first):
    tested = model(lambda: Decoder(causal, causal))
    expected = {id(data): token_losses(tested, data, ENDS) for data in (ROWS, ENDED)}
    read, passes = counting(tested), ParallelPasses(tested, ENDS, is_causal=True)
    for data in (first, ROWS, ENDED):
        for found, own in zip(passes.losses(data), expected[id(data)], strict=True):
            assert found.row == own.row
            for name in ARRAYS:
                assert getattr(found, name) == pytest.approx(getattr(own, name), abs=1e-5, nan_ok=True)
    assert read == [len(row.ids) for row in ROWS]


@pytest.mark.parametrize("is_causal", [True, False])
def test_what_a_longer_row_begins_with_is_read_again_only_if_the_model_may_see_what_follows(is_causal):
    tested = model(lambda: Decoder(causal, causal))
    begun = [replace(row, ids=row.ids[:-2]) for row in ROWS]
    expected = token_losses(tested, begun, ENDS)
    read, passes = counting(tested), ParallelPasses(tested, ENDS, is_causal)
    passes.losses(ROWS)
    for found, own in zip(passes.losses(begun), expected, strict=True):
        assert found.row == own.row
        assert found.nll_nats == pytest.approx(own.nll_nats, abs=1e-5)
        assert found.at_offset_nats == pytest.approx(own.at_offset_nats, abs=1e-5, nan_ok=True)
    assert len(read) == len(ROWS) * (1 if is_causal else 2)


def test_a_model_that_may_see_the_end_reads_each_row_as_it_is():
    tested = model(lambda: Decoder(full, full))
    read, passes = counting(tested), ParallelPasses(tested, ENDS, is_causal=False)
    alone, ended = passes.losses(ROWS), passes.losses(ENDED)
    assert len(read) == len(ROWS) + len(ENDED)
    n = len(alone[0].nll_nats)
    assert abs(alone[0].nll_nats - ended[0].nll_nats[:n]).max() > 1e-3


def test_a_row_that_fills_the_context_is_read_in_whole():
    tested = model(lambda: Decoder(causal), len(ROWS[0].ids))
    (found,) = ParallelPasses(tested, ENDS, is_causal=True).losses(ROWS[:1])
    assert len(found.nll_nats) == len(ROWS[0].ids) - 1


@pytest.fixture
def dear(monkeypatch):
    monkeypatch.setattr("evalharness.diagnosis.trials.dear.PARAMETERS", 0)


def measured(loss_nats: float | None) -> Measured:
    """Few rows of a causal model, with a logged loss."""
    logged = {}
    if loss_nats is not None:
        point = LossPoint(1, "validation", loss_nats, "log")
        logged = {"log": (point,), "logged": point}
    return Measured(few_rows(20, **logged), [RuledOut(LEAK, "", {})])


def layouts(of: Measured) -> set[tuple[bool, bool]]:
    """Whether rows are padded, and packed, in what was measured."""
    return {(item.convention.padding, item.layout.packed) for item in of.conventions}


@pytest.mark.usefixtures("dear")
def test_a_large_model_is_not_read_padded_or_packed_if_rows_alone_give_the_log():
    of = measured(reference(few_rows(20).validation.encoded))
    assert layouts(of) == {(False, False)}
    outcome = padding_in_loss(of)
    assert isinstance(outcome, RuledOut)
    assert outcome.evidence["without_padding_nats"] == pytest.approx(outcome.evidence["logged_nats"], rel=0.2)


@pytest.mark.usefixtures("dear")
def test_a_large_model_is_read_in_all_layouts_if_rows_alone_do_not_give_the_log():
    assert (True, False) in layouts(measured(40.0))


def test_a_small_model_is_read_in_all_layouts():
    assert (True, False) in layouts(measured(reference(few_rows(20).validation.encoded)))
