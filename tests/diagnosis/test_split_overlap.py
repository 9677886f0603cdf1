import pytest
from scripted import problem, scripted, split, subject
from small_training import data_rows

from evalharness.diagnosis.data.problem_search import FEWEST_LEXEMES
from evalharness.diagnosis.data.rows import DataRow
from evalharness.diagnosis.measured import Measured
from evalharness.diagnosis.probes.contamination import contamination
from evalharness.diagnosis.probes.split_overlap import split_overlap
from evalharness.diagnosis.subject import Split
from evalharness.records import Finding, NotTestable, RuledOut


def row(number):
    body = "".join(f"    step_{number}_{i} = first + {number * 10 + i} * second\n" for i in range(4))
    return DataRow(f"def work_{number}(first, second):\n", f"{body}    return step_{number}_3\n")


def asked(train, validation):
    made = subject(scripted(context_length=None), train=split(train), validation=split(validation, source="val.jsonl"))
    return split_overlap(Measured(made))


def test_validation_rows_that_were_not_trained_on_are_cleared_with_their_number():
    found = asked([row(i) for i in range(40)], [row(i) for i in range(40, 60)])
    assert isinstance(found, RuledOut)
    assert (found.evidence["validation_rows"], found.evidence["validation_rows_in_training"]) == (20, 0)


@pytest.mark.parametrize(
    ("shared", "severity"), [(20, "cause"), (10, "cause"), (9, "contributing"), (1, "contributing")]
)
def test_the_more_validation_rows_are_training_rows_the_more_it_explains(shared, severity):
    found = asked([row(i) for i in range(40)], [row(i) for i in range(40 - shared, 60 - shared)])
    assert isinstance(found, Finding)
    assert (found.severity, found.evidence["validation_rows_in_training"]) == (severity, shared)


def test_one_row_of_many_is_a_note():
    found = asked([row(i) for i in range(40)], [row(i) for i in range(39, 100)])
    assert found.severity == "note"


@pytest.mark.parametrize(
    "change",
    [lambda text: text.replace("    ", "\t"), str.upper, lambda text: text.replace("\n", "\r\n") + "\n\n"],
    ids=["tabs", "case", "line ends"],
)
def test_another_layout_or_case_hides_no_row(change):
    rows = [row(i) for i in range(20)]
    found = asked(rows, [DataRow(change(r.prompt), change(r.completion)) for r in rows])
    assert found.evidence["validation_rows_in_training"] == 20


def test_rows_that_stand_twice_in_a_file_are_counted():
    found = asked([row(i) for i in (*range(20), *range(5))], [row(i) for i in (*range(30, 40), 30)])
    assert (found.evidence["training_rows_repeated"], found.evidence["validation_rows_repeated"]) == (5, 1)


def test_rows_that_many_people_write_show_nothing():
    short = [DataRow("def add(a, b):\n", "    return a + b\n")] * 8
    found = asked([*short, row(1)], [*short, row(2)])
    assert isinstance(found, RuledOut)
    assert (found.evidence["rows_too_short"], found.evidence["validation_rows"]) == (8, 1)
    assert isinstance(asked(short, short), NotTestable)
    assert FEWEST_LEXEMES > 12


def test_the_loss_is_told_apart_on_rows_that_were_trained_on_and_on_others():
    found = asked([row(i) for i in range(20)], [row(i) for i in range(10, 30)])
    assert found.evidence["overlapping_low_nats"] <= found.evidence["overlapping_nats"]
    assert found.evidence["fresh_low_nats"] <= found.evidence["fresh_nats"]


def test_every_row_of_a_large_file_is_looked_up():
    drawn, all_rows = [row(i) for i in range(20)], [row(i) for i in range(200)]
    of_all = split(drawn)
    of_all = type(of_all)(
        of_all.rows, of_all.encoded, of_all.source, lambda: (r.prompt + r.completion for r in all_rows)
    )
    made = subject(scripted(context_length=None), train=of_all, validation=split([row(150), row(300)]))
    found = split_overlap(Measured(made))
    assert (found.evidence["training_rows"], found.evidence["validation_rows_in_training"]) == (200, 1)


def test_each_file_is_read_once_for_all_who_search_it():
    readings = []

    def read(name, rows):
        readings.append(name)
        return (r.prompt + r.completion for r in rows)

    def of(name, rows):
        drawn = split(rows)
        return Split(drawn.rows, drawn.encoded, name, lambda: read(name, rows))

    made = Measured(
        subject(
            scripted(context_length=None),
            train=of("train", [row(1)]),
            validation=of("validation", [row(1)]),
            problems=(problem("a/1", row(1).prompt, row(1).completion),),
        )
    )
    assert contamination(made).evidence["in_training"] == 1
    assert split_overlap(made).evidence["validation_rows_in_training"] == 1
    assert sorted(readings) == ["train", "validation"]


def test_rows_of_two_draws_are_no_overlap_in_the_small_trainings_of_these_tests():
    assert not isinstance(asked(data_rows(200, 1), data_rows(200, 2)), Finding)
