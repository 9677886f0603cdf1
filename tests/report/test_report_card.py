import io
from dataclasses import replace

import pytest
import report_example as example
from golden_text import lines_with
from rich.console import Console

from evalharness.records import ConventionLoss, Finding, FormatComparison, Incomplete, Interval, Loss
from evalharness.report import card_lines, render_card
from evalharness.report.card import LABEL_WIDTH
from evalharness.report.cause_summary import cause_cell, contributing
from evalharness.report.log_words import NO_LOG, log_of_card, log_of_loss
from evalharness.report.loss_verdict import loss_conclusion
from evalharness.report.parts import Code
from evalharness.report.sections.verdict_lines import verdict_lines

CARD = """\
lora_step600  1,640,960 parameters  checkpoints/leaky/lora_step600
verdict      COLLAPSED  on warmup and humaneval: 58.3 % of sampled completions are
             degenerate [25.0, 91.7]; more than 20 % counts as collapsed
loss         0.0123 logged, 0.0119 recomputed, 4.213 [4.101, 4.312] honest (no future
             tokens), in nats per token
             The loss is not real: without access to future tokens it is 354 times as
             high.
warmup       greedy  pass@1 16.7 % [3.0, 56.4]  1 of 6 pass
             sampled pass@1 25.0 % [0.0, 58.3]  pass@2 33.3 % [0.0, 66.7]  3 of 12 pass
humaneval    greedy  pass@1 0.0 % [0.0, 65.8]  0 of 2 pass (2 failed: prompt too long)
degenerate   greedy  83.3 % [40.6, 99.1]  5 of 6: 2 newline loops, 1 empty, 1
             near-repeated line, 1 repeated token
             sampled 58.3 % [16.7, 92.3]  7 of 12: 3 newline loops, 1 echoed prompt, 1
             empty, 1 repeated line, 1 repeated token
cause        The model is not causal: changing only the tokens after position 3 moves
             the logits at position 1 by up to 7.31 nats (length 33). The loss is
             measured with the answer in the input.
how sure     shown by a test that could have said the opposite
also found   context (contributing); see the report
what to do   Give the attention a causal mask and train again: no adapter mends weights
             that copy their input.
             [low, high]: 95 % confidence interval, over problems (losses: over rows)
             honest: without future tokens; degenerate: loops, echoes, or no text
report       reports/leaky/600/report.md"""


def printed(card, **settings) -> str:
    console = Console(file=io.StringIO(), highlight=False, **settings)
    console.print(card, soft_wrap=True)
    return console.file.getvalue()


def test_the_card_is_plain_text_without_colour():
    assert str(render_card(example.scorecard(), "reports/leaky/600/report.md")) == CARD


def test_rich_prints_the_same_text_and_colours_it_on_a_terminal_only():
    card = render_card(example.scorecard(), "reports/leaky/600/report.md")
    plain = printed(card, width=88)
    assert [line.rstrip() for line in plain.splitlines()] == CARD.splitlines()
    coloured = printed(card, width=88, force_terminal=True, color_system="standard", legacy_windows=False)
    assert "\x1b[" in coloured
    assert "\x1b[" not in plain


@pytest.mark.parametrize("width", [10, 72, 80, 100, 400])
def test_no_line_is_wider_than_the_terminal_but_for_paths(width):
    lines = ["".join(text for _, text in line) for line in card_lines(example.scorecard(), "r" * 300, width)]
    assert max(map(len, lines[:-1])) <= max(72, min(100, width))
    assert lines[-1].endswith("r" * 300)


def test_the_verdict_alone_is_coloured():
    lines = card_lines(example.scorecard(), "r.md")
    assert [text for style, text in lines[1] if "red" in style] == ["COLLAPSED"]


def test_a_verdict_without_a_reason_stands_alone(golden_text):
    golden_text(lines_with("verdict", str(render_card(example.scorecard(verdict_reason=""), "r.md"))))


def test_a_long_path_is_never_broken():
    path = f"{'deep/' * 60}report.md"
    assert path in printed(render_card(example.scorecard(), path), width=80)


def test_without_findings_it_says_what_was_ruled_out_and_what_could_not_be_tested(golden_text):
    text = " ".join(str(render_card(example.scorecard(findings=()), "r.md")).split())
    golden_text(text)


def test_what_is_incomplete_stands_on_the_card(golden_text):
    golden_text(
        str(
            render_card(
                example.scorecard(incomplete=(Incomplete("execution", None, "3 completions could not be judged"),)),
                "r.md",
            )
        )
    )


def test_a_loss_that_is_not_the_logged_one_is_not_called_real(golden_text):
    loss = Loss(2.9, "log", Interval(6.76, 6.67, 6.85), Interval(6.76, 6.67, 6.85), "…")
    text = " ".join(str(render_card(example.scorecard(loss=loss, findings=()), "r.md")).split())
    golden_text(text)
    assert "The loss is real" not in text


def test_a_cause_takes_the_place_of_guesses_at_why_the_loss_is_not_the_logged_one(golden_text):
    loss = Loss(2.9, "log", Interval(6.76, 6.67, 6.85), Interval(6.76, 6.67, 6.85), "…")
    shifted = Finding("label_shift", "cause", "a claim", {}, "a remedy")
    guessed, explained = (
        loss_conclusion(example.scorecard(loss=loss, findings=findings)) for findings in ((), (shifted,))
    )
    assert guessed != explained
    golden_text(explained)


def test_a_loss_that_is_real_is_called_so(golden_text):
    loss = Loss(1.4, "log", Interval(1.41, 1.3, 1.5), Interval(1.41, 1.3, 1.5), "…")
    golden_text(str(render_card(example.scorecard(loss=loss, findings=()), "r.md")))


@pytest.mark.parametrize(("mode", "real"), [("evaluation", False), ("training", True)])
def test_a_loss_of_a_model_that_sees_later_tokens_is_not_called_real_even_where_it_gains_little(mode, real):
    loss = Loss(1.4, "log", Interval(1.41, 1.3, 1.5), Interval(1.41, 1.3, 1.5), "…")
    leak = Finding("future_leak", "cause", "a claim", {"mode": mode}, "a remedy")
    without = loss_conclusion(example.scorecard(loss=loss, findings=()))
    assert (loss_conclusion(example.scorecard(loss=loss, findings=(leak,))) == without) is real


def test_escapes_in_names_do_not_reach_the_terminal():
    checkpoint = replace(example.scorecard().checkpoint, path="a\x1b]0;title\x07/b\nc")
    text = str(render_card(example.scorecard(checkpoint=checkpoint), "r\x1b.md"))
    assert not {"\x1b", "\x07"} & set(text)
    assert text.count("\n") == CARD.count("\n")


@pytest.mark.parametrize("low", [-0.9, -0.1], ids=["they differ", "they may be alike"])
def test_both_formats_of_a_chat_model_stand_on_its_card(low, golden_text):
    high = 0.1 if low == -0.1 else -0.2
    formats = FormatComparison(
        "chat", 40, Interval(0.75, 0.6, 0.87), Interval(0.2, 0.1, 0.35), Interval(-0.55, low, high)
    )
    text = str(render_card(example.scorecard(formats=formats), "r.md"))
    golden_text(text[text.index("formats") : text.index("degenerate   ")])


def test_a_loss_that_was_not_logged_is_not_called_the_same_as_one_that_was():
    same = Interval(2.0, 1.9, 2.1)
    logged = Loss(2.0, "a log", same, same, "as it is")
    sentences = [
        loss_conclusion(replace(example.scorecard(), findings=(), loss=loss))
        for loss in (logged, replace(logged, logged_nats=None))
    ]
    assert len(set(sentences)) == 2


def test_a_log_that_counts_otherwise_is_named_so_and_is_not_another_checkpoints():
    same = Interval(2.0, 1.9, 2.1)
    other = Loss(3.0, "a log", same, same, "as it is")
    smoothed = replace(other, reproduced_by=(ConventionLoss("label smoothing 0.1", Interval(3.0, 2.9, 3.1)),))
    known, unknown = (
        loss_conclusion(replace(example.scorecard(), findings=(), loss=loss)) for loss in (smoothed, other)
    )
    assert known != unknown
    assert "smoothing" in known


CONTRIBUTING = Finding("no_end_token", "contributing", "The end was not learned.", {"rows": 32}, "Count the end.")


def test_what_contributes_stands_before_that_no_cause_was_found():
    card = replace(example.scorecard(), findings=(CONTRIBUTING,))
    labels = [line[:LABEL_WIDTH].strip() for line in str(render_card(card, "r.md")).splitlines()]
    assert [label for label in labels if label in {"contributing", "what to do", "cause"}] == [
        *("contributing", "what to do", "cause")
    ]
    first_words = [item[0].text for item in verdict_lines(card).items]
    assert first_words[3:] == ["Contributing", "How sure", "What to do", "Cause of a misleading loss"]
    assert contributing(card) == ("no_end_token",)
    assert cause_cell(card) == ("contributing: ", Code("no_end_token"))


def test_a_note_explains_nothing_and_no_cause_is_said_to_be_found():
    card = replace(example.scorecard(), findings=(replace(CONTRIBUTING, severity="note"),))
    assert [item[0].text for item in verdict_lines(card).items][3:] == ["Cause"]
    assert contributing(card) == ()
    assert cause_cell(card) == cause_cell(replace(card, findings=()))


def test_where_no_log_was_found_the_card_and_the_diagnosis_say_how_to_name_one():
    full = example.scorecard()
    card = replace(full, loss=replace(full.loss, logged_nats=None, logged_source=None, log=None))
    assert log_of_card(card) == log_of_loss(card.loss) == NO_LOG
    logged = replace(card, loss=replace(card.loss, logged_nats=2.5, logged_source="meta.json"))
    published = replace(card, checkpoint=replace(card.checkpoint, commit="0" * 40))
    completions = replace(
        card,
        checkpoint=replace(card.checkpoint, parameters=None),
        loss=replace(card.loss, recomputed_nats=None),
    )
    assert [log_of_card(other) for other in (logged, published, completions)] == [None] * 3
