"""What ends a completion, and what is kept of it. The model follows a script, so that each end is known."""

import dataclasses

import pytest
from small_models import Bytes, Script

from evalharness.generation import GREEDY, Prompting, Settings, generate, requests_for
from evalharness.models.requests import Request
from evalharness.records import Problem

PROBLEM = Problem("t/0", "p", "f", "", "", ())


def complete(tokens, *, words=(), stop=(), context_length=None, prompting=None, **settings):
    """The completion of a model that writes ``tokens`` and then null bytes, the same with drafts and without."""
    found = []
    tokenizer = Bytes(words)
    base = Settings(max_new_tokens=len(tokens), exact_lengths=False)
    for drafts in (False, True):
        model = Script(tokens, context_length=context_length)
        request = Request("t/0", 0, GREEDY, (112,), stop)
        how = dataclasses.replace(base, drafts=drafts, **settings)
        found += generate(model, tokenizer, [request], prompting or Prompting(), how)
    assert found[0] == found[1]
    assert len(found[0].token_ids) == len(found[0].token_entropy_nats)
    return found[0]


def tokens_of(text):
    return list(text.encode())


def test_max_new_tokens_is_reached_exactly():
    completion = complete(tokens_of("abcdefgh"), max_new_tokens=5)
    assert (completion.text, completion.stop_reason) == ("abcde", "max_new_tokens")


def test_an_end_token_ends_it_and_is_not_part_of_it():
    completion = complete([*tokens_of("abc"), 7, *tokens_of("xyz")], prompting=Prompting(end_token_ids=frozenset({7})))
    assert (completion.text, completion.stop_reason) == ("abc", "end_token")
    assert completion.token_ids == tuple(b"abc")


def test_an_end_token_at_once_leaves_nothing():
    completion = complete([7, 97], prompting=Prompting(end_token_ids=frozenset({7})))
    assert (completion.text, completion.token_ids, completion.stop_reason) == ("", (), "end_token")


def test_a_stop_sequence_cuts_the_text_before_it():
    completion = complete(tokens_of("    return 1\ndef g():\n"), stop=("\ndef", "\nclass"))
    assert (completion.text, completion.stop_reason) == ("    return 1", "stop_sequence")
    assert completion.token_ids == tuple(b"    return 1")


def test_a_stop_sequence_within_one_token_cuts_inside_the_token():
    completion = complete([97, 256, 98], words=("x = 1\nprint",), stop=("\nprint",))
    assert (completion.text, completion.stop_reason) == ("ax = 1", "stop_sequence")
    assert completion.token_ids == (97, 256)


def test_of_several_stop_sequences_the_earliest_in_the_text_wins():
    completion = complete([97, 256], words=("b\n#c\nif\nclass",), stop=("\nclass", "\nif", "\n#"))
    assert completion.text == "ab"


def test_a_stop_sequence_split_over_tokens_is_found():
    completion = complete([256, 257, 258], words=("a\nif __na", "me__ == ", "'__main__'"), stop=("\nif __name__",))
    assert (completion.text, completion.token_ids) == ("a", (256,))


def test_a_stop_sequence_of_many_bytes_a_character_is_found():
    completion = complete(tokens_of("aé→𝄞b"), stop=("é→𝄞",))
    assert (completion.text, completion.stop_reason) == ("a", "stop_sequence")


def test_a_stop_sequence_in_the_prompt_alone_stops_nothing():
    completion = complete(tokens_of("q"), stop=("p", "pq"))
    assert completion.stop_reason == "max_new_tokens"


def test_a_stop_sequence_that_ends_far_into_the_text_is_found():
    completion = complete(tokens_of("x" * 70 + "y" * 20 + "\nend" + "z" * 9), stop=("\nend",), stop_loops=False)
    assert completion.text == "x" * 70 + "y" * 20


def test_a_stop_sequence_at_once_leaves_nothing():
    completion = complete(tokens_of("\ndef f"), stop=("\ndef",))
    assert (completion.text, completion.token_ids, completion.stop_reason) == ("", (), "stop_sequence")


def test_a_full_context_ends_it():
    completion = complete(tokens_of("abcdefgh"), context_length=6)
    assert (completion.text, completion.stop_reason) == ("abcde", "context_full")


def test_a_limit_that_falls_on_the_context_counts_as_the_limit():
    completion = complete(tokens_of("abcdefgh"), context_length=6, max_new_tokens=5)
    assert completion.stop_reason == "max_new_tokens"


def test_a_prompt_that_fills_the_context_is_too_long_and_is_data():
    problems = [dataclasses.replace(PROBLEM, task_id=f"t/{n}", prompt="x" * n) for n in (4, 5, 6)]
    wanted = requests_for(problems, Bytes(), Prompting(), GREEDY, 1)
    found = list(generate(Script([97] * 9, context_length=5), Bytes(), wanted, Prompting(), Settings(max_new_tokens=3)))
    assert {c.task_id: (c.stop_reason, c.token_ids == ()) for c in found} == {
        "t/4": ("context_full", False),
        "t/5": ("prompt_too_long", True),
        "t/6": ("prompt_too_long", True),
    }


def test_a_prompt_that_the_vocabulary_lacks_is_data():
    wanted = requests_for([dataclasses.replace(PROBLEM, prompt="a☠")], Bytes(), Prompting(), GREEDY, 2)
    found = list(generate(Script([97]), Bytes(), wanted, Prompting(), Settings(max_new_tokens=3)))
    assert [(c.completion_id, c.stop_reason, c.text) for c in found] == [
        (0, "prompt_not_encodable", ""),
        (1, "prompt_not_encodable", ""),
    ]


def test_a_prompt_is_never_stripped_and_stands_behind_template_and_begin_tokens():
    prompting = Prompting("<{prompt}> {x}", (1, 2))
    (request,) = requests_for([dataclasses.replace(PROBLEM, prompt=" a{prompt}\n ")], Bytes(), prompting, GREEDY, 1)
    assert request.prompt_ids == (1, 2, *b"< a{prompt}\n > {x}")


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        ("\n", 64),  # blank lines need no more than the tokens
        ("x", 200),  # one character a token: 200 characters
        ("ab", 200),
        ("a" * 59 + "b", 240),  # four copies of sixty
    ],
)
def test_a_loop_ends_a_completion_at_64_tokens_200_characters_and_four_copies_and_not_before(unit, expected):
    lead = "start "
    completion = complete(tokens_of(lead + unit * 300), max_new_tokens=500)
    assert completion.stop_reason == "loop"
    assert len(completion.token_ids) == len(lead) + expected


def test_a_loop_of_long_tokens_ends_at_64_of_them():
    completion = complete([97, *[256] * 300], words=("hello there ",))
    assert (completion.stop_reason, len(completion.token_ids)) == ("loop", 65)


def test_a_loop_goes_on_where_loops_are_not_stopped():
    completion = complete(tokens_of("\n" * 500), stop_loops=False)
    assert (completion.stop_reason, len(completion.token_ids)) == ("max_new_tokens", 500)


def test_what_repeats_a_little_is_not_stopped():
    text = ("x = 1\n" * 30)[:190] + "".join(chr(97 + i % 26) * (i % 5 + 1) for i in range(60))
    assert complete(tokens_of(text)).stop_reason == "max_new_tokens"
