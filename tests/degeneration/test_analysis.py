import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalharness.degeneration import LoopDetector, analyse

SOUND = "    total = 0\n    for n in numbers:\n        total += n\n    return total\n"


def decode(ids) -> str:
    """A small tokenizer: 200 is a newline, 201 'return', the others numbers of their own."""
    return "".join({200: "\n", 201: " return", 202: "):"}.get(i, f" v{i}") for i in ids)


LOOPS = {
    "newline": "\n" * 200,
    "whitespace": "\n    " * 50,
    "token": " return" * 30,
    "phrase": "):" * 64,
    "line": "    x = x + 1\n" * 30,
    "block": "    if x:\n        return y\n" * 12,
}


@pytest.mark.parametrize(("kind", "text"), LOOPS.items())
def test_each_kind_is_found_and_named_alone_and_after_sound_code(kind, text):
    for before in ("", SOUND):
        degeneration = analyse(before + text, stop_reason="max_new_tokens")
        assert (degeneration.degenerate, degeneration.kind) == (True, kind)
        assert degeneration.ran_to_limit
        assert abs(degeneration.onset - len(before)) <= degeneration.period


def test_the_evidence_is_one_sentence_with_place_and_count(golden_text):
    golden_text(analyse("\n" * 200, [200] * 200).evidence)
    golden_text(analyse("):" * 64).evidence)
    ended = analyse(" return" * 30 + " x", [201] * 60 + [3], decode=decode)
    golden_text(ended.evidence)


def test_a_loop_of_tokens_is_told_in_tokens_and_placed_by_decoding():
    ids = list(range(40)) + [202] * 70
    degeneration = analyse(decode(ids), ids, decode=decode)
    assert (degeneration.loop.unit, degeneration.period, degeneration.copies, degeneration.onset) == (
        "token",
        1,
        70,
        40,
    )
    assert degeneration.kind == "phrase"
    assert degeneration.share == pytest.approx(70 / 110)


def test_without_decoding_a_loop_of_tokens_takes_its_text_from_the_loop_of_characters_there():
    ids = list(range(40)) + [202] * 70
    degeneration = analyse(decode(ids), ids)
    assert (degeneration.kind, degeneration.loop.text, degeneration.loop.unit) == ("phrase", "):", "token")


def test_an_unbroken_loop_that_tokens_split_unevenly_is_found_in_characters():
    ids = [n % 97 for n in range(0, 60 * 31, 31)]
    assert analyse("{" * 200, ids).loop.unit == "character"


@given(st.integers(1, 40), st.integers(0, 200), st.integers(0, 9))
@settings(max_examples=60, deadline=None)
def test_whatever_generation_stops_for_its_loop_is_degenerate_with_that_loop(period, before, first):
    ids = [1_000 + n for n in range(before)]
    watch, said = LoopDetector(), None
    for token in ids:
        watch.append(token)
    while said is None or len(decode(ids[-said[1] :])) < 200:
        ids.append(first + (len(ids) - before) % period)
        said = watch.append(ids[-1])
    degeneration = analyse(decode(ids), ids, decode=decode, stop_reason="loop")
    assert degeneration.degenerate
    assert degeneration.ran_to_limit
    assert (degeneration.period, degeneration.onset) == (period, before)
    assert analyse(decode(ids), stop_reason="loop").degenerate


def test_a_character_model_stopped_for_its_loop_is_degenerate_however_late():
    text = "".join(f"def f{i}(x):\n    return x + {i * i}\n" for i in range(100)) + "-=" * 100
    assert analyse(text, [ord(c) for c in text], stop_reason="loop").kind == "phrase"


@pytest.mark.parametrize("text", ["", " ", "\n\n", "    "])
def test_a_completion_without_a_word_is_empty(text):
    degeneration = analyse(text, stop_reason="end_token")
    assert (degeneration.degenerate, degeneration.kind, degeneration.loop) == (True, "empty", None)
    assert degeneration.onset is None


@pytest.mark.parametrize("stop_reason", ["prompt_too_long", "prompt_not_encodable", "context_full"])
def test_a_completion_that_was_never_begun_is_not_degenerate(stop_reason, golden_text):
    degeneration = analyse("", [], stop_reason=stop_reason)
    assert not degeneration.degenerate
    golden_text(degeneration.evidence)


def test_a_loop_that_the_model_left_is_degenerate_and_did_not_run_to_the_limit():
    degeneration = analyse("\n" * 200 + SOUND, stop_reason="end_token")
    assert (degeneration.kind, degeneration.ran_to_limit, degeneration.copies) == ("newline", False, 200)


def test_a_loop_at_the_end_that_the_model_ended_did_not_run_to_the_limit():
    degeneration = analyse(" return" * 40, stop_reason="end_token")
    assert degeneration.degenerate
    assert degeneration.loop.ran_to_end
    assert not degeneration.ran_to_limit


def test_newlines_after_a_finished_answer_count_when_they_run_to_the_limit():
    answer = SOUND + "    # and so on, for many words that have nothing to do with one another\n" + SOUND.upper() * 2
    assert analyse(answer + "\n" * 60, stop_reason="max_new_tokens").kind == "newline"


@pytest.mark.parametrize("text", ["x", "é", "\ud800", "\0" * 3, "return"])
def test_short_and_odd_texts_give_a_result(text):
    assert not analyse(text).degenerate


def test_entropies_are_passed_on():
    assert analyse("a b", [1, 2], token_entropy_nats=[0.25, 0.75]).measures.predictions.mean_nats == 0.5
