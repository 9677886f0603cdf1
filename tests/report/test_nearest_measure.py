"""What a card says where a checkpoint does badly and no cause was found."""

from dataclasses import replace

import pytest
import report_example as example

from evalharness.records import Finding, Incomplete, Interval, Loss, NotTestable, PartLoss
from evalharness.report import render_card
from evalharness.report.nearest_measure import nearest_measure

NOTHING = {"greedy": {"1": Interval(0.0, 0.0, 0.3)}}
SOME = {"greedy": {"1": Interval(0.5, 0.3, 0.7)}}
REAL = Loss(None, None, Interval(5.0, 4.9, 5.1), Interval(5.0, 4.9, 5.1), "as it is")
ONE = Interval(1.0, 1.0, 1.0)


def whole(fall: Interval) -> PartLoss:
    return PartLoss("all", 100, ONE, Interval(5.0, 4.9, 5.1), Interval(5.0, 4.9, 5.1), fall)


def bad(**changes):
    """Nothing passes, nothing is found; every hypothesis was tested."""
    card = example.scorecard()
    of_all = {info.name: NOTHING for info in card.protocol.problems}
    plain = replace(card, findings=(), not_testable=(), loss=REAL, pass_at_k=of_all, verdict="healthy")
    return replace(plain, **changes)


CASES = {
    "the loss did not fall": bad(loss=replace(REAL, whole=whole(Interval(0.0, -0.1, 0.1)))),
    "no loss": bad(loss=Loss(None, None, None, None, "no data")),
    "an easier set": bad(pass_at_k={"warmup": SOME, "humaneval": NOTHING}, verdict="degenerating"),
    "few rows": bad(not_testable=(NotTestable("undertrained", "too_few", "3 rows"),)),
    "outcomes": bad(loss=replace(REAL, whole=whole(Interval(1.0, 0.9, 1.1))), verdict="collapsed"),
}


def test_each_kind_of_lack_has_a_measure_and_a_next_step_of_its_own():
    found = [nearest_measure(card) for card in CASES.values()]
    assert len({nearest.next_step for nearest in found if nearest is not None}) == len(CASES)


def test_the_card_and_the_report_say_it(golden_text):
    for name in ("the loss did not fall", "no loss", "outcomes"):
        lines = str(render_card(CASES[name], "r.md")).splitlines()
        begin = next(i for i, line in enumerate(lines) if line.startswith("nearest"))
        golden_text("\n".join(line.strip() for line in lines[begin : begin + 6]))


@pytest.mark.parametrize(
    "card",
    [
        bad(pass_at_k={"warmup": SOME}),
        bad(findings=(Finding("undertrained", "contributing", "claim", {}, "remedy"),)),
        replace(CASES["no loss"], checkpoint=replace(bad().checkpoint, parameters=None)),
    ],
)
def test_what_does_well_or_is_explained_or_was_not_seen_has_none(card):
    assert nearest_measure(card) is None


def test_a_note_explains_nothing():
    assert nearest_measure(bad(findings=(Finding("token_boundary", "note", "claim", {}, ""),))) is not None


def test_data_are_asked_for_only_if_they_are_what_is_missing():
    without = CASES["no loss"]
    by_kind = {
        kind: nearest_measure(replace(without, not_testable=(NotTestable("overfit", kind, "why"),))).next_step
        for kind in ("no_data", "capability", "too_few")
    }
    assert by_kind["no_data"] == nearest_measure(without).next_step
    assert len(set(by_kind.values())) == 3
    failed = replace(without, incomplete=(Incomplete("loss", None, "the model returned NaN"),))
    assert "the model returned NaN" in nearest_measure(failed).next_step


def test_where_only_time_lacked_no_more_rows_are_asked_for():
    late = (NotTestable("overfit", "no_time", "no time left (--within 1m)"),)
    limited = replace(bad().protocol, settings={"within": "1m"})
    few = CASES["few rows"]
    without_loss = nearest_measure(replace(CASES["no loss"], not_testable=late)).next_step
    assert without_loss == nearest_measure(replace(few, protocol=limited)).next_step
    assert without_loss != nearest_measure(few).next_step


def test_the_card_says_what_there_was_no_time_for_and_what_the_limit_was():
    late = (NotTestable("overfit", "no_time", "no time left (--within 1m)"),)
    text = " ".join(str(render_card(bad(not_testable=late), "r.md")).split())
    assert "not tested, no time left (--within 1m): overfit" in text
