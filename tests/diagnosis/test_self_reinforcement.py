import math

import pytest
from scripted import problem, scripted, seen, split, subject
from small_training import Characters

from evalharness.diagnosis.data.rows import DataRow
from evalharness.diagnosis.examination import MISSING, examine
from evalharness.diagnosis.measured import Measured
from evalharness.diagnosis.probe import Probe
from evalharness.diagnosis.probes.self_reinforcement import forced_copies, reference_curve, self_reinforcement
from evalharness.errors import EvaluationError
from evalharness.records import Finding, NotTestable, RuledOut

PROBE = "self_reinforcement"
CLEARED = RuledOut("future_leak", "causal", {})
ROWS = [DataRow(f"def {name}():\n", f"    return {name}{name}\n") for name in "abcdefghijklmnop"]
LOOPS = tuple(seen(problem(str(i), "def f():\n"), "x = 1\n" * 12) for i in range(20))


def copier(ids):
    """Surer of what followed the last six ids before, the more often that was."""
    after: dict[int, float] = {}
    for earlier in range(5, len(ids) - 1):
        if ids[earlier - 5 : earlier + 1] == ids[-6:]:
            after[ids[earlier + 1]] = after.get(ids[earlier + 1], 0.0) + 9.0
    return after


def always(ids):
    return dict.fromkeys(Characters().encode(" "), 30.0) if ids[-1] == 95 else {}


def asked(after=copier, *, outcomes=(CLEARED,), verdict="collapsed", rows=None, observed=LOOPS, **more):
    validation = split(ROWS if rows is None else rows)
    model = scripted(after, context_length=400)
    made = subject(model, **{"validation": validation, "verdict": verdict, "observed": observed, **more})
    return self_reinforcement(Measured(made, outcomes))


def test_copies_that_make_copies_likelier_are_named_where_all_else_is_cleared():
    found = asked()
    assert isinstance(found, Finding)
    assert found.severity == "contributing"
    curve = found.evidence["p_next_copy"]
    assert curve[0] < 0.1
    assert curve[-1] > found.evidence["p_next_copy_reference"][-1] == 8 / 9
    assert found.evidence["degenerate_greedy"][0] == 1.0
    assert found.evidence["seq_rep_4_teacher_forced"] is not None


@pytest.mark.parametrize("severity", ["cause", "contributing"])
def test_another_finding_keeps_it_from_being_named(severity):
    found = asked(outcomes=(CLEARED, Finding("overfit", severity, "c", {}, "r")))
    assert isinstance(found, NotTestable)
    assert found.kind == "undecided"


def test_a_note_explains_nothing():
    assert isinstance(asked(outcomes=(CLEARED, Finding("vocabulary", "note", "c", {}, "r"))), Finding)


@pytest.mark.parametrize(
    "outcomes",
    [
        (),
        (NotTestable("future_leak", "undecided", "nothing moved"),),
        (CLEARED, NotTestable("overfit", "failed", "the probe failed: x")),
    ],
    ids=["not asked for a leak", "the leak not testable", "a probe broke"],
)
def test_what_could_not_be_tested_is_not_cleared(outcomes):
    assert isinstance(asked(outcomes=outcomes), NotTestable)


def test_what_lacked_its_input_is_named_beside_it():
    found = asked(outcomes=(CLEARED, NotTestable("adapter", *MISSING["adapter"])))
    assert found.evidence["not_tested"] == "adapter"


@pytest.mark.parametrize("verdict", ["healthy", None])
def test_where_nothing_is_wrong_nothing_is_named(verdict):
    assert isinstance(asked(verdict=verdict), RuledOut)


@pytest.mark.parametrize("after", [lambda _: {}, always], ids=["knows nothing", "does not rise"])
def test_a_model_whose_copies_do_not_rise_is_cleared(after):
    found = asked(after)
    assert isinstance(found, RuledOut)
    assert found.evidence["copies"] == 8


def test_a_model_that_copies_as_much_as_its_data_do_is_cleared():
    rows = [DataRow("", "    x = 1\n" * 20) for _ in range(20)]
    made = subject(train=split(rows), validation=split(ROWS))
    assert reference_curve(made.train, 8) == [1.0] * 8
    assert isinstance(asked(train=made.train), RuledOut)


def test_the_reference_is_the_rule_of_succession_unless_the_data_know_more():
    assert reference_curve(None, 3) == [1 / 2, 2 / 3, 3 / 4]
    twice = split([DataRow("", "a\na\nb\n")] * 10)
    assert reference_curve(twice, 3) == [0.5, 2 / 3, 3 / 4]
    assert reference_curve(split([DataRow("", "a\na\na\n")] * 10), 3) == [1.0, 1.0, 3 / 4]


def test_the_curve_is_the_probability_of_the_whole_next_copy():
    lines = [tuple(Characters().encode(f"{c}{c}\n")) for c in "abcdefgh"]
    curve = forced_copies(subject(scripted(lambda _: {}, context_length=None)), lines)
    assert curve.copies == 8
    assert curve.means == pytest.approx([(1 / 98) ** 3] * 8)
    curve = forced_copies(subject(scripted(lambda ids: {95: math.log(97)}, context_length=13)), lines)
    assert curve.copies == 3
    assert curve.means == pytest.approx([0.5 * (0.5 / 97) ** 2] * 3)


@pytest.mark.parametrize("rows", [ROWS[:5], [DataRow("", "no line end")] * 20, []])
def test_without_enough_lines_it_is_not_testable(rows):
    assert isinstance(asked(rows=rows), NotTestable)


def test_nan_is_an_error():
    with pytest.raises(EvaluationError, match="NaN"):
        asked(lambda _: {0: math.nan})


def test_a_probe_is_told_what_those_before_it_said_and_what_was_known():
    heard = {}

    def probe(name):
        def run(measured):
            heard[name] = list(measured.outcomes)
            return RuledOut(name, "c", {})

        return Probe(name=name, question="?", run=run, order=0, at_most="note", forward_passes=0)

    examine(Measured(subject(), [CLEARED]), [probe("first"), probe("last")])
    assert heard == {"first": [CLEARED], "last": [CLEARED, RuledOut("first", "c", {})]}
