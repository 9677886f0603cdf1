"""What the report of a run says in words and tables, of small runs built by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
import report_example
import run_example as example
from golden_text import lines_with

from evalharness.degeneration import greedy_share_against
from evalharness.records import NO_STEP, DegenerationRate, Finding, Interval, Loss, LossPoint, NotTestable, RuledOut
from evalharness.report import render_card, run_document, to_markdown
from evalharness.report.cause_summary import no_cause
from evalharness.report.parts import Table
from evalharness.report.sections.agreement_tables import agreement_notes, agreement_parts, discordance_parts
from evalharness.report.sections.run_losses import loss_sources
from evalharness.report.shares import caveat
from evalharness.runs.json_values import plain


def report(cards, *, losses=(), completions=(), **changes) -> str:
    held = example.frames(cards, completions, [plain(point) for point in losses])
    return to_markdown(run_document(example.run(held, **changes), {}))


def rate(share: float, low: float, high: float, completions: int = 15) -> DegenerationRate:
    return DegenerationRate(
        rate=share, low=low, high=high, completions=completions, kinds={}, shares={}, mutual_information=None
    )


def healthy(sampled: DegenerationRate | None, **changes):
    rates = {"greedy": rate(0.0, 0.0, 0.2), **({} if sampled is None else {"sampled": sampled})}
    return report_example.scorecard(verdict="healthy", verdict_reason="so", degeneration=rates, findings=(), **changes)


def with_loss(logged: float | None, source: str | None = "step_10.pt, val_loss"):
    return report_example.scorecard(loss=Loss(logged, source, None, None, ""))


def test_completions_without_a_model_are_reported_without_words_about_a_model(golden_text):
    told = report({10: example.unseen(10), 20: example.unseen(20)})
    golden_text(lines_with("were judged", told))
    assert "checkpoints load" not in told
    assert "[data] validation" not in told
    golden_text(lines_with("only completions", told))
    golden_text(lines_with("no losses", told))
    assert "fewer than two scored steps" not in told
    assert told.count(example.NOT_SEEN) == 1, "in place of the table"
    assert "not testable" not in told.lower()


def test_a_step_that_is_not_recorded_is_called_so_and_comes_last(golden_text):
    told = report({NO_STEP: example.unseen(None), 10: example.unseen(10), 20: example.unseen(20)})
    first_cells = [line.split("|")[1].strip() for line in told.splitlines() if line.startswith("|")]
    steps = [cell for cell in first_cells if cell in {"10", "20", "not recorded"}]
    assert steps == ["10", "20", "not recorded"]
    golden_text(lines_with("as at all 2", told))
    assert "| -1 " not in told
    assert "initial" not in told


def test_only_the_files_that_there_are_are_listed():
    told = report({10: example.unseen(10)}, files=(("final/report.md", "the report of this step"),))
    assert told.rpartition("## Files")[2].strip() == "- `final/report.md`: the report of this step"


@pytest.mark.parametrize(
    "sampled",
    [rate(0.2, 0.0, 0.5), rate(0.0, 0.0, 0.5, 1), None, rate(0.0, 0.0, 0.1)],
    ids=["few", "one", "none", "enough"],
)
def test_healthy_has_a_caveat_if_the_completions_are_too_few(sampled, golden_text):
    told = report({10: healthy(sampled)})
    golden_text(line for line in told.splitlines() if "HEALTHY" in line or "worked: " in line)


def test_healthy_is_never_said_alone_where_the_greedy_completions_are_degenerate():
    sampled = rate(0.0, 0.0, 0.02)
    card = healthy(sampled)
    assert (greedy_share_against(card), caveat(card)) == (None, "")
    loops = replace(card, degeneration={"greedy": rate(0.6, 0.45, 0.75), "sampled": sampled})
    assert greedy_share_against(loops) == Interval(0.6, 0.45, 0.75)
    assert caveat(loops) in str(render_card(loops, "report.md")).replace("\n" + 13 * " ", " ")
    assert caveat(loops) in report({10: loops})
    assert greedy_share_against(replace(loops, verdict="degenerating")) is None, "its reason says it"
    assert greedy_share_against(healthy(None)) is None


def test_a_validation_loss_that_only_the_checkpoints_have_is_shown_with_its_source(golden_text):
    cards = {10: with_loss(2.5), 20: with_loss(1.5, "step_20.pt, val_loss"), 30: with_loss(1.25, "train.log")}
    logged = LossPoint(30, "validation", 1.0, "train.log")
    held = example.frames(cards, losses=[plain(logged)])
    told = to_markdown(run_document(example.run(held), {}))
    assert "2.500" in told
    assert "**1.000**" in told, "what the log has stands"
    assert "1.250" not in told
    golden_text(lines_with("% lower)", told))
    said = "from step_10.pt, val_loss (step 10); step_20.pt, val_loss (step 20)."
    assert loss_sources(example.run(held)).endswith(said)
    assert said in " ".join(told.split())


def test_a_run_that_logged_all_its_losses_has_no_word_on_other_sources():
    held = example.frames({10: with_loss(2.5)}, losses=[plain(LossPoint(10, "validation", 2.5, "train.log"))])
    assert loss_sources(example.run(held)) == ""


def test_a_hypothesis_counts_once_however_often_it_was_tested(golden_text):
    card = report_example.scorecard(
        findings=(Finding("prompt_in_loss", "note", "c", {}, "r"),),
        ruled_out=tuple(RuledOut(probe, "c", {}) for probe in ("adapter", "adapter", "not_finite", "prompt_in_loss")),
        not_testable=(NotTestable("adapter", "no_base", "r"), NotTestable("cache_mismatch", "capability", "r")),
    )
    golden_text(no_cause(card))
    golden_text(no_cause(example.unseen()))


def pairs(steps: int):
    """Loss and behaviour that fall and rise over so many steps."""
    from evalharness.report.loss_against_behaviour import agreements

    cards = {step: with_loss(10.0 - step**1.5) for step in range(1, steps + 1)}
    rows = [
        example.completion(step, task=task, passed=(task < step + step // 3), decoding=decoding)
        for step in cards
        for task in range(8)
        for decoding in ("greedy", "sampled")
    ]
    return [pair for pair in agreements(example.frames(cards, rows)) if "pass@1" in pair.behaviour]


def test_a_reason_that_holds_for_every_row_stands_once_below_the_table():
    of_five = pairs(5)
    table = next(part for part in agreement_parts(of_five) if isinstance(part, Table))
    assert {row[-1] for row in table.rows} == {"–"}
    assert agreement_notes(of_five) == ["4 points: a rank correlation needs at least 5: changes of every row"]
    assert agreement_notes(pairs(1)) == ["1 point: a rank correlation needs at least 5: every loss and behaviour"]
    assert agreement_notes(pairs(6)) == []


def test_behaviour_that_is_the_same_at_every_step_has_no_share_in_the_table():
    from evalharness.statistics import discordance

    found = discordance([1, 2], [[2.0, 2.1], [1.0, 1.1]], [[0.0, 0.0]] * 2, seed=0)
    table = next(iter(discordance_parts({"pass@1": found})))
    assert table.rows == (("pass@1", "1 of 1", "all 1: it is the same at every step"),)


def test_an_interval_of_the_loss_is_not_needed_for_a_report(golden_text):
    loss = Loss(1.0, "log", Interval(1.0, 0.9, 1.1), None, "")
    golden_text(lines_with("Not known whether", report({10: report_example.scorecard(loss=loss)})))
