from dataclasses import replace

import report_example as example

from evalharness.degeneration import analyse
from evalharness.report.parts import Code, plain_text
from evalharness.report.shown_completions import excerpt, generated_excerpt, shown_completions, token_lines


def shown(**sets):
    return shown_completions(sets, example.token_text)


def facts(item) -> str:
    return plain_text(item.facts)


def test_the_same_completion_is_not_shown_twice():
    found = shown(warmup=example.warmup())
    names = [item.name for item in (*found.worst, *found.by_set["warmup"])]
    assert len(set(names)) == len(names)
    assert [(item.task_id, item.decoding, item.why) for item in found.above["warmup"]] == [
        ("warmup/4", "greedy", "the longest loop"),
        ("warmup/0", "greedy", "another kind of degeneration"),
    ]
    assert [item.heading for item in found.by_set["warmup"]] == [(Code("warmup/1"), ", sampled 0", ": passes")]


def test_a_completion_of_no_tokens_is_called_empty(golden_text):
    empty = example.scored(example.problem(0), [])
    (item,) = shown(warmup=[empty]).worst
    assert item.heading == (Code("warmup/0"), ", greedy", ": empty")
    assert (item.kind, item.generated.text, item.generated.note, item.tokens) == ("empty", "", "empty", "")
    golden_text(facts(item))


def test_an_echo_is_shown_as_it_was_written():
    found = example.warmup()[-1]
    assert found.analysis.kind == "echo"
    assert generated_excerpt(found) == excerpt(found.completion.text)


def test_the_facts_of_a_loop_say_whether_it_follows_an_answer_and_what_the_model_was_sure_of(golden_text):
    after = facts(shown(warmup=[example.scored(example.problem(0), [1, 2, 3, *[example.NEWLINE] * 90])]).worst[0])
    golden_text(after)
    instead = example.scored(example.problem(0), [example.NEWLINE] * 90)
    assert instead.analysis.after_answer is False
    golden_text(facts(shown(warmup=[instead]).worst[0]))


def test_a_loop_without_entropies_has_no_word_on_them():
    item = example.scored(example.problem(0), [example.NEWLINE] * 90)
    blind = replace(item, analysis=analyse(item.completion.text, item.completion.token_ids, decode=example.decode))
    assert "entropy" not in facts(shown(warmup=[blind]).worst[0])


def test_newlines_can_be_seen_and_are_counted(golden_text):
    shown = excerpt("\n" * 200)
    assert (shown.text, shown.language) == ("⏎" * 40 + "…", "text")
    golden_text(shown.note)


def test_spaces_and_tabs_alone_can_be_seen():
    assert excerpt("  \t").text == "··\\t"


def test_a_run_of_newlines_inside_a_text_can_be_seen(golden_text):
    shown = excerpt("    return a" + "\n" * 90)
    assert (shown.text, shown.language) == ("    return a" + "⏎" * 40 + "… 90 in all", "python")
    golden_text(shown.note)


def test_a_long_text_is_cut_and_says_by_how_much(golden_text):
    golden_text(excerpt("x" * 500).note)
    lines = excerpt("line\n" * 100)
    golden_text(lines.note)
    assert lines.text.count("line") == 30
    assert excerpt("def f():\n    pass\n").note == ""


def test_token_ids_stand_where_the_loop_begins():
    looping = example.scored(example.problem(0), [1, 2, *[6] * 80])
    assert token_lines(looping, example.token_text) == (
        f"Token IDs from position 2: {', '.join(['6'] * 12)}, …\n"
        f"Token texts: {', '.join(['’ return’'.replace('’', chr(39))] * 12)}, …"
    )


def test_a_loop_of_characters_without_token_ids_shows_none():
    assert token_lines(example.scored(example.problem(0), [], text="ab" * 200), example.token_text) == ""
