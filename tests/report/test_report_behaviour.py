from dataclasses import replace

import report_example as example

from evalharness.degeneration import analyse
from evalharness.report.shown_completions import behaviour, generated_block, text_block, token_lines


def shown(**sets):
    return behaviour(sets, example.token_text)


def test_the_same_completion_is_not_shown_twice():
    found = shown(warmup=example.warmup())
    headings = [item.heading for item in (*found.worst, *found.by_set["warmup"])]
    assert len({heading.partition(":")[0] for heading in headings}) == len(headings)
    assert found.above["warmup"] == [
        "`warmup/4`, greedy (the longest loop)",
        "`warmup/0`, greedy (another kind of degeneration)",
    ]
    assert [item.heading for item in found.by_set["warmup"]] == ["`warmup/1`, sampled 0: passes"]


def test_a_completion_of_no_tokens_is_called_empty():
    empty = example.scored(example.problem(0), [])
    (item,) = shown(warmup=[empty]).worst
    assert item.heading == "`warmup/0`, greedy: empty"
    assert item.generated.note == "*nothing*"
    assert item.tokens == ""
    assert item.facts.startswith("0 tokens, 0 characters; stopped by `end_token`; nothing was written; verdict")


def test_an_echo_is_shown_as_it_was_written():
    found = example.warmup()[-1]
    assert found.analysis.kind == "echo"
    assert generated_block(found) == text_block(found.completion.text)


def test_the_facts_of_a_loop_say_whether_it_follows_an_answer_and_what_the_model_was_sure_of():
    facts = shown(warmup=[example.scored(example.problem(0), [1, 2, 3, *[example.NEWLINE] * 90])]).worst[0].facts
    assert "; after a finished answer; mean predictive entropy 0." in facts
    assert " nats before the loop and 0.0" in facts
    instead = example.scored(example.problem(0), [example.NEWLINE] * 90)
    assert instead.analysis.after_answer is False
    assert "; not after a finished answer; " in shown(warmup=[instead]).worst[0].facts


def test_a_loop_without_entropies_has_no_word_on_them():
    item = example.scored(example.problem(0), [example.NEWLINE] * 90)
    blind = replace(item, analysis=analyse(item.completion.text, item.completion.token_ids, decode=example.decode))
    assert "entropy" not in shown(warmup=[blind]).worst[0].facts


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
