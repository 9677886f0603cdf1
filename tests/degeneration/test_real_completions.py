"""The 52 completions of the run that this project began with, each read and labelled by hand.

The file stands beside the repository and not in it, so the tests of the whole file are skipped elsewhere; the excerpts
are here.
"""

import json

import pytest
from shared_data import shared_or_skip

from evalharness.degeneration import analyse

# Line of the file, from 1: what one copy is, and its kind. All others are "):" from the first character to the last.
LABELS = {
    **dict.fromkeys([6, 7, 8, 9, 10, 20, 22, 23, 49], (":", "token")),
    14: (" np", "token"),
    15: ("d", "token"),
    16: ("dict", "token"),
    17: (" Optional", "token"),
    18: ("io", "token"),
    19: ("ing", "token"),
    21: ("{", "token"),
    28: ("property", "token"),
    29: ("method", "token"),
    30: ("method", "token"),
    32: (" ", "whitespace"),
    34: (" ", "whitespace"),
    36: (" ", "whitespace"),
    38: ("():", "phrase"),
    39: (" ", "whitespace"),
    42: (" 2", "token"),
    43: (")", "token"),
    44: (" == 0 0 0 0 0", "phrase"),
    45: ("}", "token"),
    46: ("():", "phrase"),
    48: (" i", "token"),
    50: (" None", "token"),
    52: ("main", "token"),
}
# "self" and commas in ever new numbers: a phrase whose copies are never quite the same.
NEVER_THE_SAME = {41}

EXCERPTS = [
    ("):" * 64, "):", "phrase"),
    (":" * 64, ":", "token"),
    (" Optional" * 64, " Optional", "token"),
    ('::: None = f f f f"' + "{" * 54, "{", "token"),
    (".\n" + " " * 62, " ", "whitespace"),
    (
        "]]]" + " == 0 0 0 0 0" * 6 + " == 0 == 0 0 0 == 0 == 0 0 0 0 == 0 0 0 0 0 == 0 0 0 0 0",
        " == 0 0 0 0 0",
        "phrase",
    ),
]


def completions() -> list[str]:
    path = shared_or_skip("seed/v1_token_completions.jsonl")
    return [json.loads(line)["completion"] for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize(("text", "copy", "kind"), EXCERPTS)
def test_excerpts_loop_as_labelled(text, copy, kind):
    degeneration = analyse(text)
    assert (degeneration.kind, degeneration.loop.text) == (kind, copy)


def test_every_completion_that_loops_is_found_and_named():
    texts = completions()
    assert len(texts) == 52
    for number, text in enumerate(texts, start=1):
        loop = analyse(text, stop_reason="max_new_tokens").loop
        assert loop is not None, (number, text)
        if number in NEVER_THE_SAME:
            assert (set(loop.text), loop.kind) == (set(" self,"), "phrase")
            continue
        assert (loop.text, loop.kind) == LABELS.get(number, ("):", "phrase")), number


def test_the_same_loops_are_found_from_the_token_ids():
    texts = completions()
    tokenizer = pytest.importorskip("tokenizers").Tokenizer.from_file(str(shared_or_skip("seed/tokenizer.json")))

    def decode(ids) -> str:
        return tokenizer.decode(list(ids), skip_special_tokens=False)

    for number, text in enumerate(texts, start=1):
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        for degeneration in (analyse(text, ids), analyse(text, ids, decode=decode)):
            assert degeneration.kind == LABELS.get(number, ("):", "phrase"))[1], number
            assert degeneration.ran_to_limit or number == 44
