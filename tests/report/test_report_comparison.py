"""What the sentence over a comparison says, and on what it rests."""

from __future__ import annotations

from dataclasses import replace
from math import log

import pytest
import report_example as example

from evalharness.records import Interval, Loss, Measure
from evalharness.report import comparison_document
from evalharness.report.compared_losses import compared_losses
from evalharness.report.comparison_report import headline
from evalharness.report.parts import Table
from evalharness.statistics import compare_shares

NAMES = ("old", "new")
MEASURES = {"passing": Measure("greedy", "warmup", 1), "degenerate": Measure("sampled")}


def shares(first: int, second: int, problems: int = 40):
    """So many of the problems under each, one completion a problem."""
    flags = [{str(i): [i < number] for i in range(problems)} for number in (first, second)]
    return compare_shares(*flags, seed=0)


def card(logged: float | None, *, honest: float | None = None, findings=()):
    """A score whose loss is real unless the honest one is given and higher."""
    measured = None if honest is None else Interval(logged or 0.0, (logged or 0.0) - 0.01, (logged or 0.0) + 0.01)
    held = None if honest is None else Interval(honest, honest - 0.01, honest + 0.01)
    return example.scorecard(loss=Loss(logged, "log", measured, held, ""), findings=findings)


def said(cards, **measures) -> str:
    found = headline(NAMES, cards, {MEASURES[name]: item for name, item in measures.items()})
    return f"{found.lead}: {found.rest}"


PASSES, SAME, LOOPS = shares(2, 30), shares(5, 5), shares(30, 2)


def test_a_better_model_with_the_lower_loss_is_said_to_have_a_loss_that_is_not_real(golden_text):
    leak = example.scorecard().findings
    text = said((card(2.0), card(1.0, honest=9.0, findings=leak)), passing=PASSES)
    golden_text(text)


@pytest.mark.parametrize("cards", [(card(2.0), card(1.0)), (card(None), card(None))])
def test_the_sentence_says_on_what_better_rests(cards):
    assert said(cards, passing=PASSES, degenerate=SAME).endswith("by warmup, greedy, pass@1.")
    only = said(cards, passing=SAME, degenerate=LOOPS)
    assert only.endswith("by degeneration alone (sampled, degenerate): no pass rate differs by more than chance.")


def test_measures_that_disagree_are_not_called_chance(golden_text):
    text = said((card(2.0), card(1.0)), passing=PASSES, degenerate=shares(2, 30))
    golden_text(text)


def test_where_nothing_differs_a_loss_that_is_not_real_is_still_named():
    text = said((card(2.0, honest=3.0), card(1.0)), passing=SAME)
    assert text.endswith("no measure differs by more than chance, and the loss of old is not real.")


def test_each_row_of_the_document_names_the_test_that_its_p_value_is_of():
    several = replace(PASSES, test="sign flips")
    first, second = Measure("greedy", "a", 1), Measure("sampled", "b", 4)
    document = comparison_document(NAMES, (card(2.0), card(1.0)), {first: PASSES, second: several}, ())
    _, _, measures = (part for part in document if isinstance(part, Table))
    at = measures.header.index("Test of p")
    assert [(row[0], row[at]) for row in measures.rows] == [
        ("a, greedy, pass@1", "McNemar"),
        ("b, sampled, pass@4", "sign flips"),
    ]


def test_where_behaviour_tells_nothing_the_lower_honest_loss_is_named(golden_text):
    golden_text(said((card(1.0, honest=9.9), card(3.9, honest=3.9)), passing=SAME))


def test_honest_losses_within_each_others_error_tell_nothing():
    near, far = (said((card(3.91, honest=3.91), card(3.9, honest=loss)), passing=SAME) for loss in (3.9, 3.0))
    assert len(near.split(". ")) == 1
    assert len(far.split(". ")) == 2


def of_tokens(logged: float, bytes_per_token: float):
    """A score whose loss is real, of a tokenizer whose tokens hold so many bytes."""
    plain = card(logged, honest=logged)
    return replace(plain, loss=replace(plain.loss, recomputed_bits_per_byte=logged / log(2) / bytes_per_token))


def test_losses_of_tokens_of_other_lengths_compare_in_bits_per_byte():
    alike = compared_losses(of_tokens(2.0, 3.0), of_tokens(1.0, 3.001))
    assert (alike.unit, alike.logged, alike.bytes_per_token) == ("nats per token", (2.0, 1.0), None)
    cards = of_tokens(2.0, 4.0), of_tokens(1.5, 2.0)
    unlike = compared_losses(*cards)
    assert unlike.unit != alike.unit
    assert unlike.bytes_per_token == pytest.approx((4.0, 2.0))
    assert unlike.logged == pytest.approx((0.5 / log(2), 0.75 / log(2)))
    assert [honest.estimate for honest in unlike.honest] == pytest.approx(unlike.logged)
    table = next(part for part in comparison_document(NAMES, cards, {}, ()) if isinstance(part, Table))
    assert ("4.00", "2.00") in [row[1:] for row in table.rows]
    # The first has the higher loss of a token, and the lower one of a byte.
    higher, lower = said(cards, passing=shares(30, 2)), said((card(2.0), card(1.5)), passing=shares(30, 2))
    assert (higher.split(":")[0], lower.split(":")[0]) == (
        "The lower loss is the better model", "The lower loss is the worse model",
    )  # fmt: skip
