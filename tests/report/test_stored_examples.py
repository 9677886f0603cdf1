"""The lines of ``examples.jsonl``: what is written is read again, and old ones in Markdown show what they showed."""

import json

import pytest
import report_example as example
from hypothesis import given
from hypothesis import strategies as st

from evalharness.report import examples
from evalharness.report.parts import Code, plain_text
from evalharness.report.printable import one_line
from evalharness.report.stored_examples import example_from, text_of
from evalharness.report.writers.markdown import inline
from evalharness.runs.json_values import json_line, plain

OLD = {
    "heading": "`humaneval/0`, sampled 2: the longest loop, newline",
    "prompt": {"fenced": "```python\ndef f():\n```", "note": ""},
    "expected": {"fenced": "```python\n    return 1\n```", "note": ""},
    "generated": {
        "fenced": "```text\n       ├── the loop begins: token 0, character 0\ncopy 1 │⏎\n```",
        "note": "*⏎ is a line end, and a row without it goes on in the next*",
    },
    "tokens": "```text\nToken IDs from position 0 on: 198, …\nToken texts: '\\n', …\n```",
    "facts": "64 tokens; stopped by `loop`; \\_\\_init\\_\\_; verdict `failed` (``a `b` c``)",
}


def test_what_was_written_is_read_again():
    shown = examples({"warmup": example.warmup()}, example.token_text)
    assert [item.kind is None for item in shown] == [False, False, True]
    assert shown[0].generated.rows
    assert [example_from(json.loads(json_line(plain(item)))) for item in shown] == shown


def test_an_old_line_is_read_as_what_it_showed(golden_text):
    old = example_from(OLD)
    assert (old.task_id, old.decoding, old.completion_id) == ("humaneval/0", "sampled", 2)
    assert (old.why, old.kind) == ("the longest loop", "newline")
    assert (old.prompt.text, old.prompt.language) == ("def f():", "python")
    assert old.generated.text.endswith("copy 1 │⏎")
    golden_text(old.generated.note)
    assert old.tokens.startswith("Token IDs")
    assert old.facts[1] == Code("loop")
    assert old.facts[-2] == Code("a `b` c")
    assert "__init__" in plain_text(old.facts)


@pytest.mark.parametrize(("heading", "kind"), [("`a`, greedy: passes", None), ("`a`, greedy: near", "near")])
def test_an_old_line_of_a_sound_completion_has_no_kind(heading, kind):
    assert example_from({**OLD, "heading": heading}).kind == kind


@pytest.mark.parametrize("row", [{}, {"heading": "no name"}, {"task_id": "a"}])
def test_what_is_no_example_is_refused(row):
    with pytest.raises((KeyError, TypeError, ValueError)):
        example_from(row)


@given(st.text(), st.text())
def test_markdown_is_turned_back_into_the_text_that_it_shows(first, second):
    shown = plain_text(text_of(inline(("x", first, "x", Code(second), "x"))))
    words = one_line(" ".join(f"x{first}x".split()))
    assert shown == f"{words}{one_line(second) or ' '}x"
