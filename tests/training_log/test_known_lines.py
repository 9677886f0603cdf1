"""Lines that are like earlier ones are read by a pattern: it finds what reading them word for word does."""

import pytest
from log_files import written

from evalharness.training_log import known_lines, read_log

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
    "a validation without the word": ["step 1 | loss 2.5 | val 2.6", "step 2 | loss 2.25 | val 2.5"],
}


@pytest.mark.parametrize("lines", LOGS.values(), ids=LOGS)
def test_a_line_like_an_earlier_one_is_read_as_it_is_alone(tmp_path, monkeypatch, lines):
    log = written(tmp_path, "train.log", "".join(f"{line}\n" for line in lines))
    by_patterns = repr(read_log(log))
    monkeypatch.setattr(known_lines, "MOST_FORMS", 0)
    assert by_patterns == repr(read_log(log))
