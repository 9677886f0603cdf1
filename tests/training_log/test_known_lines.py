"""Lines that are like earlier ones are read by a pattern: it finds what reading them word for word does."""

import pytest
from log_files import written

from evalharness.training_log import known_lines, open_log, read_log

LOGS = {
    "steps of how many": [
        "Step     50/20000 | Loss: 0.4205 | LR: 1.00e-05",
        "Step 20000/20000 | Loss: 1e-05 | LR: 0.1",
    ],
    "thousands": ["step 999 | loss 2.5", "step 1,000 | loss 2.25", "step 1.5k | loss 2.0"],
    "no numbers": ["step 1 | loss 2.5", "step 2 | loss nan", "step 3 | loss inf", "step 4 | loss 7"],
    "both splits": ["step 0: train loss 4.5, val loss 4.75", "iter 0: loss 4.25", "iter 1: loss 4.0"] * 2,
    "epochs that begin again": [f"Epoch {e} step {s}/2 loss {4.5 - e}" for e in (1, 2) for s in (1, 2)],
    "moments": [f"2026-01-01 10:00:0{i} step {i} loss {5 - i / 2}" for i in range(1, 5)],
    "another split": ["step 1 | loss 2.5", "eval step 1 | loss 2.75", "step 2 | loss 2.25", "eval step 2 | loss 2.5"],
    "a heading": ["step 1 | loss 2.5", "step 2 | loss 2.25", "Evaluation:", "loss 9.5", "step 3 | loss 2.0"],
    "other losses": ["step 1 | loss 2.5 | aux_loss 0.1", "step 2 | aux_loss 0.1 | loss 2.25"] * 2,
    "a counter of one's own": [f"it {i} | nll {5 / i:.4f} | val nll {5.5 / i:.4f} | 46.0 tok/s" for i in range(1, 30)],
    "a counter, and what is no plain number": [
        "it 1 | nll 5.5",
        "it 2 | nll nan",
        "it 3 | nll 5",
        "it 1,000 | nll 2.5",
    ],
    "a counter that begins again": [f"ep {e} it {i} nll {5.5 - e}, {i}.5 s" for e in (1, 2) for i in range(6)],
    "a counter with the time": [f"time {1.7e9 + i} it {i} nll {5.5 - i / 9}" for i in range(9)],
    "an evaluation behind its step": [
        "iter 4: train loss 4.5, val loss 4.75",
        *(f"iter {i}: loss 4.2" for i in range(9)),
    ],
    "fairseq": [
        f'2021-03-08 12:31:3{i} | INFO | {kind} | {{"epoch": {i}, "{loss}": "{9 - i}.25", "num_updates": "{i}0"}}'
        for i in range(7)
        for kind, loss in (("train_inner", "loss"), ("valid", "valid_loss"), ("train", "train_loss"))
    ],
    "fairseq's bars": [f"| epoch 00{i} | loss {9 - i}.5 | nll_loss 3.5 | num_updates {i}00" for i in range(7)],
    "a table": ["| Step | Epoch | Loss | Val Loss |", "|--|--|--|--|"]
    + [f"| {i} | {i / 4} | **{9 - i}.5** | {'-' if i % 3 else 4.5} |" for i in range(9)]
    + [f"| {i} | {i / 4} | {i}.25 | {'-' if i % 3 else 4.25} |" for i in range(9, 40)],
    "a table of runs": ["| Run | Step | Loss |", "|---|---|---|", *(f"| a | {i} | {9 - i}.5 |" for i in range(9))],
    "a validation without the word": ["step 1 | loss 2.5 | val 2.6", "step 2 | loss 2.25 | val 2.5"],
}


NAMES = {"fairseq": "fairseq.log", "a table": "card.md", "a table of runs": "card.md"}


@pytest.mark.parametrize("block", [8, 200, 2**18])
@pytest.mark.parametrize("name", LOGS)
def test_a_line_like_an_earlier_one_is_read_as_it_is_alone(tmp_path, monkeypatch, name, block):
    log = written(tmp_path, NAMES.get(name, "train.log"), "".join(f"{line}\n" for line in LOGS[name]))
    monkeypatch.setattr(open_log, "FIRST_BLOCK", block)
    monkeypatch.setattr(open_log, "BLOCK", block)
    by_patterns = repr(read_log(log))
    monkeypatch.setattr(known_lines, "MOST_FORMS", 0)
    assert by_patterns == repr(read_log(log))
    assert "LossPoint" in by_patterns


def test_what_stands_after_a_number_may_end_it_and_not_go_on():
    known = known_lines.KnownLines()
    line = "it 1, nll 5.5, lr 1e-3\n"
    known.add(line, known_lines.Figures((3, 4), [("train", (10, 13))]))
    runs = list(known.runs("it 2, nll 4.5, lr 1e-4\nit 1,000, nll 2.5, lr 2\nit 3, nll 2,5, lr 2\n", 7))
    assert [(run.form is None, run.at) for run in runs] == [(False, 7), (True, 8), (True, 9)]
    assert [(point.step, point.loss_nats, point.source) for point in runs[0].points("log")] == [(2, 4.5, "log:7")]
