"""What the losses alone say, each sign on a log that has it and on one that has not."""

import gzip
import json
import math
import random

import pytest
from click.testing import CliRunner
from log_files import written
from small_folder import ROOT

from evalharness.commands.group import cli
from evalharness.records import Finding, LossPoint, NotTestable, RuledOut
from evalharness.statistics import floor_nats
from evalharness.training_log import LogFile, TrainingLog, read_logs
from evalharness.training_log.signs.of_losses import SIGNS, Known, signs


def run(train, validation=(), every=10):
    """A log with a training loss every so many steps, and a validation loss every fifth of them."""
    noise = random.Random(0)
    points = [LossPoint(every * i, "train", loss + noise.gauss(0, 0.01), f"a:{i}") for i, loss in enumerate(train, 1)]
    points += [LossPoint(5 * every * i, "validation", loss, f"a:v{i}") for i, loss in enumerate(validation, 1)]
    points.sort(key=lambda point: point.step)
    return log_of(points)


def log_of(points):
    return TrainingLog(tuple(points), (LogFile("a", "made", tuple(points), ()),), ())


def learning(steps=100, end=3.0):
    return [end + 7 * (10 / (10 * i + 10)) ** 0.4 for i in range(1, steps + 1)]


def sound():
    train = learning()
    return run(train, [train[5 * i - 1] + 0.05 for i in range(1, 21)])


def outcomes(log, **known):
    return {outcome.probe: outcome for outcome in signs(log, Known(**known))}


def found(log, **known):
    return {name for name, outcome in outcomes(log, **known).items() if isinstance(outcome, Finding)}


EVERYTHING = {"vocabulary": 50_257, "unigram_nats": 7.5, "dropout": 0.0}


def test_a_sound_run_has_no_sign_and_each_is_ruled_out():
    results = outcomes(sound(), **EVERYTHING)
    assert len(results) == len(SIGNS)
    assert {type(outcome) for outcome in results.values()} == {RuledOut}


def test_what_is_not_known_makes_signs_not_testable():
    results = outcomes(sound())
    assert {n for n, o in results.items() if isinstance(o, NotTestable)} == {"smoothing_floor", "plateau"}
    assert {type(o) for n, o in outcomes(run([2.0])).items() if n in {"spikes", "plateau"}} == {NotTestable}


def replaced(log, **changes):
    points = [LossPoint(p.step, p.split, changes.get(f"{p.split}_{p.step}", p.loss_nats), p.source) for p in log.points]
    return log_of(points)


def test_losses_of_0_and_losses_that_are_no_numbers_are_found():
    assert found(replaced(sound(), train_500=0.0)) == {"zero_loss"}
    assert found(replaced(sound(), train_500=math.nan)) == {"not_finite"}


def test_spikes_are_found_where_they_are():
    (outcome,) = [o for o in signs(replaced(sound(), train_500=9.0), Known(**EVERYTHING)) if isinstance(o, Finding)]
    assert (outcome.probe, outcome.evidence["spikes"], outcome.evidence["step"]) == ("spikes", 1, 500)


def test_a_plateau_at_the_level_of_a_model_without_context_is_found():
    for level, known in (
        (math.log(50_257), {"vocabulary": 50_257}),
        (7.5, {"unigram_nats": 7.5, "vocabulary": 99_999}),
    ):
        assert "plateau" in found(run([level + 0.5 / i for i in range(1, 101)]), **known)
    assert "plateau" in found(log_of([LossPoint(i, "train", 4.25, "a") for i in range(30)]))


def test_a_loss_on_the_floor_of_label_smoothing_is_found():
    floor = floor_nats(0.1, 8_000)
    flat = run([floor + 0.02] * 100)
    assert "smoothing_floor" in found(flat, vocabulary=8_000)
    assert outcomes(flat, vocabulary=8_000, label_smoothing=0.1)["smoothing_floor"].severity == "contributing"
    assert isinstance(outcomes(flat, vocabulary=8_000, label_smoothing=0.2)["smoothing_floor"], RuledOut)


@pytest.mark.parametrize(("dropout", "severity"), [(0.0, "contributing"), (0.1, "note"), (None, "note")])
def test_validation_below_training_is_weighed_by_what_is_known_of_dropout(dropout, severity):
    train = learning()
    log = run(train, [train[5 * i - 1] - 0.3 for i in range(1, 21)])
    outcome = outcomes(log, vocabulary=50_257, unigram_nats=7.5, dropout=dropout)["validation_below_training"]
    assert outcome.severity == severity
    assert outcome.evidence["gap_nats"] == pytest.approx(-0.3, abs=0.1)


@pytest.mark.parametrize("change", [-0.5, 0.0, 0.5])
def test_a_restart_that_does_not_go_on_as_before_is_found(change):
    first = [LossPoint(p.step, "train", p.loss_nats, "a") for p in run(learning()).points]
    again = [LossPoint(p.step, "train", p.loss_nats + change, "b") for p in first[50:]]
    log = TrainingLog((), (LogFile("a", "made", tuple(first), ()), LogFile("b", "made", tuple(again), ())), ())
    outcome = outcomes(log)["repeats_after_restart"]
    assert isinstance(outcome, Finding) == (change != 0)
    assert outcome.evidence["repeated_steps"] == 50


@pytest.mark.parametrize(("name", "too_fast"), [("leaky", True), ("causal", False)])
def test_the_base_that_sees_the_answer_falls_faster_than_the_one_that_does_not(name, too_fast):
    log = read_logs([ROOT / "checkpoints" / name / "base.log"])
    assert isinstance(outcomes(log)["falls_too_fast"], Finding) == too_fast


def invoked(*arguments):
    result = CliRunner().invoke(cli, ["triage", *map(str, arguments)])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_command_says_what_was_found_and_what_was_not_checked(tmp_path, golden_text, monkeypatch):
    monkeypatch.setenv("COLUMNS", "114")
    written(tmp_path, "config.json", json.dumps({"vocab_size": 8_000, "dropout": 0.0}))
    floor = floor_nats(0.1, 8_000)
    log = written(tmp_path, "train.log", "".join(f"Step {i} | Loss: {floor + 2 / i:.4f}\n" for i in range(10, 200)))
    golden_text(invoked(log))
    said = json.loads(invoked(log, "--json"))
    assert said["known"]["vocabulary"] == 8_000
    assert [finding["probe"] for finding in said["findings"]] == ["smoothing_floor"]
    assert said["not_checked"]


def test_what_is_given_goes_before_what_lies_beside_the_log(tmp_path):
    written(tmp_path, "config.json", json.dumps({"vocab_size": 8_000}))
    log = written(tmp_path, "train.log", "".join(f"Step {i} | Loss: {3 + 2 / i:.4f}\n" for i in range(10, 200)))
    assert json.loads(invoked(log, "--json", "--vocabulary", 99))["known"]["vocabulary"] == 99


def test_the_frequencies_of_tokens_are_counted_in_the_training_data():
    known = json.loads(invoked(ROOT / "checkpoints" / "causal" / "base.log", "--json"))["known"]
    assert 0 < known["unigram_nats"] < math.log(known["vocabulary"])


def packed(name, rows):
    """The rows in one of the forms of data files."""
    from io import BytesIO

    import pyarrow as pa
    from pyarrow import parquet

    jsonl = "".join(json.dumps(row) + "\n" for row in rows).encode()
    if name.endswith(".parquet"):
        parquet.write_table(pa.Table.from_pylist(rows), written := BytesIO())
        return written.getvalue()
    forms = {
        "rows.jsonl": jsonl,
        "rows.jsonl.gz": gzip.compress(jsonl),
        "rows.json": json.dumps(rows, indent=1).encode(),
    }
    return forms[name]


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.jsonl.gz", "rows.json", "rows.parquet"])
def test_the_frequencies_are_those_of_the_texts_in_whatever_file_they_are(tmp_path, name):
    (tmp_path / name).write_bytes(packed(name, [{"text": "aab"}, {"text": "bcc"}]))
    assert triaged_with(tmp_path, name) == pytest.approx(math.log(3))


@pytest.mark.parametrize("name", ["rows.bin", "rows.npy", "rows.jsonl", "rows.jsonl.gz", "rows.parquet"])
def test_of_data_that_is_no_text_no_frequencies_are_known(tmp_path, name):
    (tmp_path / name).write_bytes(bytes(range(97, 123)) * 9)
    assert triaged_with(tmp_path, name) is None


def triaged_with(folder, data):
    """What is known of the frequencies of letters, beside a log in ``folder`` whose training data has a name."""
    from tokenizers import Tokenizer, models

    Tokenizer(models.BPE(vocab={letter: i for i, letter in enumerate("abc")}, merges=[])).save(
        str(folder / "tokenizer.json")
    )
    written(folder, "evalharness.toml", f'[data]\ntrain = "{data}"\n')
    log = written(folder, "train.log", "".join(f"Step {i} | Loss: {3 + 2 / i:.4f}\n" for i in range(10, 60)))
    return json.loads(invoked(log, "--json"))["known"]["unigram_nats"]


def test_nothing_of_torch_is_loaded():
    import subprocess
    import sys

    code = (
        "import sys; from evalharness.__main__ import main\ntry:\n main()\nfinally:\n assert 'torch' not in sys.modules"
    )
    log = ROOT / "checkpoints" / "causal" / "base.log"
    done = subprocess.run([sys.executable, "-c", code, "triage", str(log)], cwd=ROOT, check=False, capture_output=True)
    assert done.returncode == 0, done.stderr


def test_a_loss_that_rises_and_stays_there_is_no_spike_and_is_found():
    train = [loss + (3.0 if i > 70 else 0.0) for i, loss in enumerate(learning())]
    outcome = outcomes(run(train), **EVERYTHING)["ends_above_its_lowest"]
    assert isinstance(outcome, Finding)
    assert outcome.evidence["train_last_nats"] - outcome.evidence["train_lowest_nats"] == pytest.approx(3.0, abs=0.2)
    turned = [4.0 - 0.1 * i for i in range(10)] + [3.1 + 0.06 * i for i in range(10)]
    outcome = outcomes(run(learning(), turned), **EVERYTHING)["ends_above_its_lowest"]
    assert isinstance(outcome, Finding)
    assert outcome.evidence["validation_lowest_step"] == 500


def test_a_loss_that_falls_to_a_rounded_0_is_a_note_and_one_that_jumps_to_0_is_not():
    fallen = log_of([LossPoint(i, "train", round(8 * math.exp(-i / 10), 4), "a") for i in range(1, 160)])
    assert outcomes(fallen)["zero_loss"].severity == "note"
    assert outcomes(replaced(sound(), train_500=0.0))["zero_loss"].severity == "contributing"


def test_a_loss_that_passes_a_floor_of_label_smoothing_is_not_on_it():
    floor = floor_nats(0.1, 50_257)
    passing = run([floor + 0.02 + 0.02 * (100 - i) for i in range(1, 101)])
    assert isinstance(outcomes(passing, vocabulary=50_257)["smoothing_floor"], RuledOut)
