"""Lines and rows with a second figure that may be the loss: of an evaluation, an earlier one, or a sum."""

import json

import pytest
from log_files import notes, read

from evalharness.errors import LogError
from evalharness.training_log.lines import ANOTHER_KIND

RUN = [(100, "train", 5.5), (100, "validation", 5.75), (200, "train", 4.5), (200, "validation", 4.75)]
TRAINED = [point for point in RUN if point[1] == "train"]


def lines(train: str, validation: str = "") -> str:
    """A line for each loss of ``RUN``, the validation's under the training's."""
    forms = {"train": train, "validation": validation}
    return "".join(forms[split].format(step=step, loss=loss, before=step - 99) for step, split, loss in RUN)


def test_a_second_loss_of_a_step_in_lines_of_another_kind_is_no_training_loss(tmp_path):
    text = lines(
        "loss = {loss}, step = {step} (12.1 sec)\n", "Saving for step {step}: accuracy = 0.31, loss = {loss}\n"
    )
    assert read(tmp_path, "train.log", text) == TRAINED
    assert any(note.endswith(ANOTHER_KIND) for note in notes(tmp_path, "train.log", text))


def test_the_last_of_several_batches_of_a_step_counts_as_before(tmp_path):
    text = "".join(f"step {step} micro {at} loss {6 - at / 4 - step / 100}\n" for step in (100, 200) for at in range(3))
    assert not any(note.endswith(ANOTHER_KIND) for note in notes(tmp_path, "train.log", text))
    assert read(tmp_path, "train.log", text)[-1] == (200, "train", 3.5)


@pytest.mark.parametrize(
    ("train", "validation"),
    [
        ("Step: {step}, Batch Loss: {loss}\n", "Evaluation result (greedy) at epoch 1, step {step}: loss: {loss}\n"),
        ("step {step}: loss 9.25 -> {loss}\n", "step {step}: val loss 9.5 -> {loss}\n"),
        ("it {step} nll 9.25 → {loss}\n", "it {step} val nll 9.5 → {loss}\n"),
        ("[{step}/900] loss=3.5 (kd=1.4 ce={loss})\n", "[{step}/900] val ce={loss}\n"),
        ("step {step} loss 9.25 = ce {loss} + z 0.05\n", "step {step} valid ce {loss}\n"),
        ("steps {before}-{step}: mean loss {loss}\n", "after step {step}: mean val loss {loss}\n"),
        (
            "Step {step}: train WeightedCategoryCrossEntropy |  {loss}\n",
            "Step {step}: eval CrossEntropyLoss |  {loss}\n",
        ),
        (
            "{{'step': {step},\n 'train': {{'acc': 0.3, 'loss': {loss}}},",
            " 'valid': {{'acc': 0.3, 'loss': {loss}}}}}\n",
        ),
    ],
)
def test_the_loss_of_the_step_is_read(tmp_path, train, validation):
    assert sorted(read(tmp_path, "train.log", lines(train, validation))) == RUN


def test_steps_that_are_done_of_all_are_counted_and_the_files_of_an_evaluation_are_not(tmp_path):
    text = "evaluating over split 2\n1/12...\n12/12...\n".join(
        ["", lines("{step}/900 (epoch 0.1), train_loss = {loss}\n")]
    )
    assert read(tmp_path, "train.log", text) == TRAINED


def test_entropies_of_training_and_validation_alone_are_no_entropies_of_a_policy(tmp_path):
    with pytest.raises(LogError, match="VALID"):
        read(tmp_path, "rnnlm.txt", lines("Iter: {step} TRAIN entropy: {loss}   ", "VALID entropy: {loss}\n"))


HEADER = ["step", "train_nll", "val_nll"]
TABLE = [[100, 5.5, 5.75], [200, 4.5, 4.75]]
EMPTY_CELLS = [[100, 5.5, "-"], [150, 5.0, "-"], [175, 4.75, "-"], [200, 4.5, 4.75]]


def table(rows: list[list], mark: str, between: str) -> str:
    return "".join(
        f"{before}{between.join(map(str, row))}\n" for before, row in [(mark, HEADER), *(("", row) for row in rows)]
    )


def test_numbers_below_a_comment_with_their_names_are_read(tmp_path):
    rows = [[f"{cell:.18e}" for cell in row] for row in TABLE]
    assert read(tmp_path, "loss.txt", table(rows, "# ", " ")) == RUN


@pytest.mark.parametrize(("name", "between"), [("a.csv", ","), ("a.rst", "    ")])
def test_a_mark_for_an_empty_cell_is_no_value(tmp_path, name, between):
    points = read(tmp_path, name, table(EMPTY_CELLS, "", between))
    assert [point for point in points if point[1] == "validation"] == [(200, "validation", 4.75)]


@pytest.mark.parametrize(
    "document",
    [
        {"columns": HEADER, "index": [0, 1], "data": TABLE},
        {
            f"{split}.loss": {"steps": [100, 200], "values": values, "timestamps": ["a", "b"]}
            for split, values in (("training", [5.5, 4.5]), ("validation", [5.75, 4.75]))
        },
        [{"main/loss": a, "validation/main/loss": b, "iteration": step, "elapsed_time": 2.5} for step, a, b in TABLE],
    ],
)
def test_documents_of_other_tools_are_read(tmp_path, document):
    for indent in (None, 2):
        assert sorted(read(tmp_path, "history.json", json.dumps(document, indent=indent))) == RUN


def test_a_key_of_several_names_has_as_many_numbers(tmp_path):
    rows = [{"loss": loss, "epoch": 0.1, "global_step/max_steps": f"{step}/900"} for step, _, loss in TRAINED]
    assert read(tmp_path, "logging.jsonl", "".join(f"{json.dumps(row)}\n" for row in rows)) == TRAINED


def test_the_cross_entropy_of_a_row_is_read_and_not_a_sum_with_other_terms(tmp_path):
    rows = [{"step": step, "loss": a + 1, "ce": a, "val_loss": b + 1, "val_ce": b} for step, a, b in TABLE]
    assert read(tmp_path, "log.jsonl", "".join(f"{json.dumps(row)}\n" for row in rows)) == RUN
    partly = [{"step": 100, "loss": 5.5}, {"step": 200, "loss": 4.5, "ce": 1.5}]
    assert read(tmp_path, "part.jsonl", "".join(f"{json.dumps(row)}\n" for row in partly)) == TRAINED
