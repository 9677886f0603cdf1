from dataclasses import replace
from types import SimpleNamespace

import pytest
from scripted import follower, problem, scripted, seen, split, subject
from small_training import END, FAMILIES, PAD, data_rows, encoded, wrapped

from evalharness.diagnosis.data.rows import DataRow, TokenRow
from evalharness.diagnosis.measured import Measured
from evalharness.diagnosis.probes.no_end_token import no_end_token
from evalharness.diagnosis.subject import Split
from evalharness.errors import EvaluationError
from evalharness.records import Finding, NotTestable, RuledOut

ENDS = frozenset({END})


def asked(more=lambda _: {}, *, end=False, **others):
    train = split(end=end)
    model = scripted(follower(encoded(data_rows(20, 1)), more))
    return no_end_token(Measured(subject(model, train=train, end_ids=ENDS, **others)))


def test_an_end_that_is_pushed_down_everywhere_is_found_with_its_figures():
    found = asked(lambda _: {END: -9.0})
    assert isinstance(found, Finding)
    assert found.severity == "contributing"
    assert found.evidence["end_ids_in_targets"] == 0
    assert found.evidence["p_end_high"] < 0.25 * found.evidence["p_by_frequency_or_even_share"]


def test_an_end_that_stands_in_the_rows_but_was_masked_is_found_and_counted():
    found = asked(lambda _: {END: -9.0}, end=True)
    assert isinstance(found, Finding)
    assert found.evidence["rows_that_end_with_it"] == found.evidence["end_ids_in_targets"] == 20


@pytest.mark.parametrize("end", [False, True])
def test_an_end_that_is_known_at_true_ends_is_cleared_whether_the_rows_show_it_or_not(end):
    found = asked(lambda ids: {END: 9.0 if ids[-2:] != [95, 0] and ids[-1] == 95 else -9.0}, end=end)
    assert isinstance(found, RuledOut)
    assert found.evidence["median_rank"] == 0


def test_an_end_that_is_held_out_entirely_is_found():
    assert isinstance(asked(lambda _: {END: float("-inf")}), Finding)


def test_where_completions_stop_all_the_same_it_is_a_note():
    of = [problem(str(i), "def f():\n") for i in range(20)]
    stopped = tuple(seen(p, "    return 1\n", reason="stop_sequence") for p in of)
    running = tuple(seen(p, "    return 1\n") for p in of)
    assert asked(lambda _: {END: -9.0}, observed=stopped).severity == "note"
    found = asked(lambda _: {END: -9.0}, observed=running)
    assert found.severity == "contributing"


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("scale", [1.0, 300.0], ids=["as usual", "with a large start"])
def test_an_untrained_model_is_never_blamed(family, scale):
    module = FAMILIES[family]()
    for parameter in module.parameters():
        parameter.data *= scale
    found = no_end_token(Measured(subject(wrapped(module), train=split(), end_ids=ENDS)))
    assert isinstance(found, NotTestable | RuledOut)


@pytest.mark.parametrize(
    ("train", "reason"),
    [
        (Split((), (), "t"), "0 rows are whole"),
        (split([DataRow("", "def f()")]), "1 row is whole"),
        (split([DataRow("", "abc def", running=True)] * 4), "0 rows are whole"),
        (Split((DataRow("", "x"),), (TokenRow((1, 2, 3), 1, 0, 0, 9),) * 4, "t"), "0 rows are whole"),
    ],
    ids=["none", "one", "running text", "cut rows"],
)
def test_without_two_true_ends_it_is_not_testable(train, reason):
    found = no_end_token(Measured(subject(train=train, end_ids=ENDS)))
    assert isinstance(found, NotTestable)
    assert found.reason.startswith(reason)


def test_without_an_end_token_it_is_not_testable():
    assert no_end_token(Measured(subject(train=split()))).kind == "not_known"


def test_nan_is_an_error():
    with pytest.raises(EvaluationError, match="NaN"):
        asked(lambda _: {3: float("nan")})


@pytest.mark.parametrize(("length", "severity"), [(40, "note"), (None, "contributing")])
def test_rows_that_are_pieces_of_texts_have_no_ends_to_learn(length, severity):
    text = "".join(row.prompt + row.completion for row in data_rows(60, 1))
    rows = [DataRow("", text[at : at + (length or 30 + at % 37)]) for at in range(0, 1600, 40)]
    train = split(rows)
    model = scripted(follower(train.encoded, lambda _: {END: -9.0}))
    found = no_end_token(Measured(subject(model, train=train, end_ids=ENDS)))
    assert isinstance(found, Finding)
    assert found.severity == severity


def at_ends(ids):
    return {END: 30.0 if ids[-1] == 95 and ids.count(95) == 2 else -9.0, PAD: -9.0}


def stops_at(scripted_model, *ids):
    """The model with generation settings that stop at these ids."""
    scripted_model.module.generation_config = SimpleNamespace(eos_token_id=list(ids))
    return scripted_model


@pytest.mark.parametrize(("stops", "kind"), [((PAD,), Finding), ((PAD, END), RuledOut), ((), RuledOut)])
def test_an_end_at_which_the_generation_settings_do_not_stop_is_named_with_its_id(stops, kind):
    model = stops_at(scripted(follower(encoded(data_rows(20, 1)), at_ends)), *stops)
    found = no_end_token(Measured(subject(model, train=split(), end_ids=ENDS)))
    assert isinstance(found, kind)
    assert found.evidence["written_id"] == END
    assert found.evidence.get("generation_stops_at", [*stops]) == [*stops]


def test_the_marker_that_rows_end_with_is_named_where_another_token_is_taken_for_the_end():
    rows = encoded(data_rows(20, 1), end=True)
    train = replace(split(end=True), encoded=rows)
    model = scripted(follower(rows, at_ends))
    found = no_end_token(Measured(subject(model, train=train, end_ids=frozenset({PAD}))))
    assert isinstance(found, Finding)
    assert found.evidence["written_id"] == END
    assert found.evidence["written"] == "<end>"
