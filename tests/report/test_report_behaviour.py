import report_example as example

from evalharness.records import Verdict
from evalharness.report.behaviour import choose, shown_completions, text_block, token_lines


def test_the_longest_loop_another_kind_and_one_that_passes_are_shown():
    chosen = choose(example.warmup())
    assert [(why, s.problem.task_id, s.analysis.kind) for why, s in chosen] == [
        ("the longest loop", "warmup/0", "newline"),
        ("another kind of degeneration", "warmup/2", "token"),
        ("passes", "warmup/1", None),
    ]
    assert chosen[2][1].execution.verdict is Verdict.PASSED


def test_a_model_that_does_nothing_but_loop_is_shown_three_times():
    looping = [example.scored(example.problem(i), [example.NEWLINE] * 100) for i in (10, 9, 2, 1)]
    assert [s.problem.task_id for _, s in choose(looping)] == ["warmup/1", "warmup/2", "warmup/9"]


def test_a_completion_of_no_tokens_is_called_empty():
    empty = example.scored(example.problem(0), [])
    (shown,) = shown_completions([empty], example.token_text)
    assert "nothing written, empty" in shown.heading
    assert shown.generated.note == "*nothing*"
    assert shown.tokens == ""


def test_newlines_can_be_seen_and_are_counted():
    block = text_block("\n" * 200)
    assert block.fenced == "```text\n" + "⏎" * 40 + "…\n```"
    assert block.note == "*⏎ is a line end; 160 characters are left out*"


def test_spaces_and_tabs_alone_can_be_seen():
    assert text_block("  \t").fenced == "```text\n··\\t\n```"


def test_a_run_of_newlines_inside_a_text_can_be_seen():
    block = text_block("    return a" + "\n" * 90)
    assert block.fenced == "```python\n    return a" + "⏎" * 40 + "… 90 in all\n```"
    assert block.note == "*⏎ is a line end*"


def test_a_long_text_is_cut_and_says_by_how_much():
    assert text_block("x" * 500).note == "*380 characters are left out*"
    lines = text_block("line\n" * 100)
    assert lines.note == f"*{70 * 5} characters are left out*"
    assert lines.fenced.count("line") == 30
    assert text_block("def f():\n    pass\n").note == ""


def test_token_ids_stand_where_the_loop_begins():
    looping = example.scored(example.problem(0), [1, 2, *[6] * 80])
    assert token_lines(looping, example.token_text) == (
        "```text\n"
        f"Token IDs from position 2 on: {', '.join(['6'] * 12)}, …\n"
        f"Token texts: {', '.join(['’ return’'.replace('’', chr(39))] * 12)}, …\n"
        "```"
    )


def test_a_loop_of_characters_without_token_ids_shows_none():
    assert token_lines(example.scored(example.problem(0), [], text="ab" * 200), example.token_text) == ""
