"""What the report of a run concludes: what worked, what need not be tried again, and what to do next."""

from __future__ import annotations

import pytest
import report_example
import run_example as example

from evalharness.records import Finding, Interval, Loss, LossPoint, NotTestable, RuledOut
from evalharness.report.parts import Code
from evalharness.report.sections.dead_ends import dead_ends
from evalharness.report.sections.run_losses import loss_table, new_bests
from evalharness.report.sections.run_outcome import next_steps
from evalharness.report.shown_completions import token_lines
from evalharness.runs.json_values import plain

LEAK = Finding("future_leak", "cause", "It leaks.", {}, "Mask it.")
NOTE = Finding("context", "note", "Some prompts are long.", {}, "Train longer rows.")
NOT_WORTH_TRYING = {"contamination": "Cleaning", "adapter": "Loading it again", "context": "A longer context"}


def run(*cards, **changes):
    steps = {100 * number: card for number, card in enumerate(cards, 1)}
    return example.run(example.frames(steps), not_worth_trying=NOT_WORTH_TRYING, **changes)


def card(**changes):
    nothing = {"findings": (LEAK,), "ruled_out": (), "not_testable": ()}
    return report_example.scorecard(**{"verdict": "collapsed", **nothing, **changes})


def probes(texts) -> list[str]:
    return [span.text for text in texts if isinstance(text, tuple) for span in text if isinstance(span, Code)]


def test_no_next_step_is_built_on_a_note():
    assert probes(next_steps(run(card(findings=(LEAK, NOTE))))) == ["future_leak"]
    assert list(next_steps(run(card(findings=(NOTE,))))) == []


def test_what_was_ruled_out_as_a_whole_need_not_be_tried_again():
    cleared = tuple(RuledOut(probe, "No.", {}) for probe in ("adapter", "contamination", "context"))
    in_part = (NotTestable("adapter", "no_adapter", "none"),)
    assert probes(dead_ends(run(card(ruled_out=cleared)))) == ["contamination", "adapter", "context"]
    assert probes(dead_ends(run(card(ruled_out=cleared, not_testable=in_part)))) == ["contamination", "context"]
    assert probes(dead_ends(run(card(ruled_out=cleared, findings=(LEAK, NOTE))))) == ["contamination", "adapter"]


def test_a_run_in_which_nothing_is_wrong_has_no_dead_ends():
    cleared = (RuledOut("contamination", "No.", {}),)
    assert list(dead_ends(run(card(ruled_out=cleared, findings=(NOTE,), verdict="healthy")))) == []


def honest(nats: float) -> Loss:
    return Loss(1.0, "log", Interval(1, 0.9, 1.1), Interval(nats, nats - 0.1, nats + 0.1), "")


@pytest.mark.parametrize(("losses", "dead_ends_found"), [((5, 5, 5), 1), ((5, 4, 3), 0), ((5, 5), 0)])
def test_more_steps_are_a_dead_end_if_nothing_but_the_logged_loss_got_better(losses, dead_ends_found):
    cards = [card(loss=honest(loss)) for loss in losses]
    assert len(list(dead_ends(run(*cards)))) == dead_ends_found


def test_more_steps_are_no_dead_end_of_a_run_that_collapsed_late():
    first = card(loss=honest(5), verdict="healthy")
    assert list(dead_ends(run(first, *[card(loss=honest(5))] * 3))) == []


def test_each_new_best_validation_loss_is_marked():
    validation = {0: 3.0, 100: 2.0, 200: 2.5, 300: 1.0, 400: 1.5}
    assert new_bests(validation) == [0, 100, 300]
    assert new_bests({0: 1.0, 100: 2.0}) == [0]
    losses = [plain(LossPoint(step, "validation", loss, "log")) for step, loss in validation.items()]
    table = loss_table(example.run(example.frames({400: card(loss=honest(5))}, losses=losses)))
    assert [row[-1] for row in table.rows] == ["initial", "new best", "–", "best", "final"]


def test_the_tokens_of_a_few_newlines_are_shown_as_those_of_a_loop_are():
    problem = report_example.problem(0)
    short = report_example.scored(problem, [report_example.NEWLINE] * 5)
    sound = report_example.scored(problem, [1, 2, 3, 4, 5, report_example.NEWLINE])
    assert short.analysis.loop is None
    assert str(report_example.NEWLINE) in token_lines(short, report_example.token_text)
    assert token_lines(sound, report_example.token_text) == ""
