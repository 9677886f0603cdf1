"""Rows as chat templates write them, a line break behind their end; and ends that no training counted."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from scripted import follower, scripted
from small_training import END, Characters, data_rows, encoded, logits_of, plain, wrapped
from torch.nn import functional

from evalharness.diagnosis.data.row_ends import end_place, have_more_behind
from evalharness.diagnosis.data.rows import TokenRow
from evalharness.diagnosis.measured import Measured
from evalharness.diagnosis.probes.loss_mismatch import loss_mismatch
from evalharness.diagnosis.probes.no_end_token import no_end_token
from evalharness.diagnosis.subject import Split, Subject
from evalharness.records import Finding, LossPoint, RuledOut

LINE = 95
ENDS = frozenset({END})


def templated(count: int, seed: int) -> Split:
    """Rows that end as ``<end>`` and a line break."""
    rows = data_rows(count, seed)
    ended = encoded(rows, count_prompt=False, end=True)
    return Split(tuple(rows), tuple(replace(r, ids=(*r.ids, LINE), tokens=r.tokens + 1) for r in ended), "rows.jsonl")


def subject(model, **more) -> Subject:
    splits = {"train": templated(20, 1), "validation": templated(20, 2)}
    return Subject(model, Characters(), end_ids=ENDS, **{**splits, **more})


@pytest.mark.parametrize(
    ("ids", "place"),
    [((1, 2, END), 2), ((1, 2, END, LINE), 2), ((1, END, LINE, LINE), 1), ((END, 1, 2, 3), None), ((1, 2), None)],
)
def test_the_end_of_a_row_is_its_last_id_or_stands_before_a_line_break_or_two(ids, place):
    assert end_place(TokenRow(ids, 1), ENDS) == place


def test_an_end_in_the_prompt_is_not_the_rows():
    assert end_place(TokenRow((1, END, LINE, 5), 3, 3), ENDS) is None


def test_pieces_of_texts_have_an_end_near_to_theirs_by_chance():
    pieces = [TokenRow((1, 2, 3, 4), 1)] * 40 + [TokenRow((1, 2, END, 4), 1)]
    assert not have_more_behind(pieces, ENDS)
    assert have_more_behind(templated(20, 1).encoded, ENDS)


def loss_of(module, rows, *, masked: bool) -> float:
    """The mean over all answers, as a loop has it that masks the end by its id, or counts it."""
    total, count = 0.0, 0
    for row in rows:
        ids = torch.tensor(row.ids)
        targets = ids[1:].clone()
        targets[: row.first_target - 1] = -100
        targets[targets == (END if masked else -1)] = -100
        nll = functional.cross_entropy(
            logits_of(module, ids[None, :-1])[0], targets, ignore_index=-100, reduction="sum"
        )
        total, count = total + float(nll), count + int((targets != -100).sum())
    return total / count


@pytest.mark.parametrize(("masked", "end"), [(True, False), (False, None)])
def test_a_log_that_masks_the_end_by_its_id_is_reproduced_as_one_that_counts_it(masked, end):
    torch.manual_seed(0)
    module = plain().eval().requires_grad_(requires_grad=False)
    # Ends are far less probable than all else, so that the two losses are nowhere near each other.
    module.head.bias.data[END] = -6.0
    point = LossPoint(10, "validation", loss_of(module, templated(20, 2).encoded, masked=masked), "log")
    measured = Measured(subject(wrapped(module), log=(point,), logged=point))
    assert isinstance(loss_mismatch(measured), RuledOut)
    shown_by = measured.established.shown_by
    assert shown_by.exact[0] <= point.loss_nats + 1e-4
    assert shown_by.loss_nats.estimate == pytest.approx(point.loss_nats, abs=1e-4)
    assert shown_by.convention.end is end
    assert not shown_by.convention.prompt
    last = {row.ids[-1] for row in measured.rows(measured.subject.validation)}
    assert (END in last, len(last)) == (False, 1)
    assert all((END in row.ids) != masked for row in measured.rows(measured.subject.validation))


@pytest.mark.parametrize(("masked", "kind"), [(True, Finding), (False, RuledOut)])
def test_a_log_without_ends_says_that_they_were_no_targets_though_the_model_gives_them_something(masked, kind):
    model = knows_the_text(4.0)
    point = LossPoint(10, "validation", loss_of(model.module, templated(20, 2).encoded, masked=masked), "log")
    found = no_end_token(Measured(subject(model, log=(point,), logged=point)))
    assert isinstance(found, kind)
    if masked:
        assert found.severity == "contributing"
        assert found.evidence["without_ends_nats"] == pytest.approx(point.loss_nats, abs=1e-4)
        assert found.evidence["with_ends_nats"] > point.loss_nats + 0.005


def test_a_model_that_ends_its_texts_all_the_same_lost_nothing():
    model = knows_the_text(12.0)
    point = LossPoint(10, "validation", loss_of(model.module, templated(20, 2).encoded, masked=True), "log")
    assert isinstance(no_end_token(Measured(subject(model, log=(point,), logged=point))), RuledOut)


def knows_the_text(end: float):
    """A model of the rows that gives their end so much more than other ids, or less."""
    rows = encoded(data_rows(20, 1))
    return scripted(follower(rows, lambda ids: {END: end if ids[-1] == LINE and ids.count(LINE) == 2 else -9.0}))


def test_an_end_with_a_line_break_behind_it_is_looked_for_right_behind_the_text():
    found = no_end_token(Measured(subject(knows_the_text(12.0))))
    assert isinstance(found, RuledOut)
    assert found.evidence["median_rank"] == 0
    assert found.evidence["rows_that_end_with_it"] == found.evidence["rows_of_all"] == 20


def test_a_tuning_that_taught_the_text_and_not_the_end_is_named_with_both_figures():
    before, after = scripted(lambda ids: {END: 0.0}), knows_the_text(0.5)
    found = no_end_token(Measured(subject(after, base=before)))
    assert isinstance(found, Finding)
    assert found.severity == "contributing"
    assert found.evidence["end_ids_in_targets"] == 20
    assert found.evidence["p_end_times"][2] < 2
    assert found.evidence["text_fell_low_nats"] > 0.05


@pytest.mark.parametrize(
    ("before", "after"),
    [(0.0, 5.5), (None, 0.5), (5.5, 5.5)],
    ids=["it raised the end", "the model before is not known", "the end was known before"],
)
def test_no_tuning_is_blamed_that(before, after):
    base = None if before is None else scripted(lambda ids: {END: before})
    assert isinstance(no_end_token(Measured(subject(knows_the_text(after), base=base))), RuledOut)
