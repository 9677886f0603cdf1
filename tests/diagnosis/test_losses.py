import math

import pytest
import torch
from leak_models import Decoder, causal, full, model, rows

from evalharness.diagnosis import TokenRow, paired_loss
from evalharness.errors import EvaluationError

DATA = [TokenRow(tuple(row[: 10 + 3 * i]), 4) for i, row in enumerate(rows(count=8))]


def test_in_a_causal_model_the_honest_loss_is_the_parallel_one():
    found = paired_loss(model(lambda: Decoder(causal, causal)), DATA)
    assert found.honest_nats.estimate == pytest.approx(found.parallel_nats.estimate, abs=1e-5)
    assert found.honest_nats.low == pytest.approx(found.parallel_nats.low, abs=1e-5)


def test_equal_losses_have_equal_intervals_whatever_the_order_of_the_rows_lengths():
    found = paired_loss(model(lambda: Decoder(causal, causal)), [DATA[i] for i in (3, 7, 0, 5, 1, 6, 2, 4)])
    assert found.honest_nats.low == pytest.approx(found.parallel_nats.low, abs=1e-5)
    assert found.honest_nats.high == pytest.approx(found.parallel_nats.high, abs=1e-5)


def test_in_a_model_that_leaks_they_differ():
    found = paired_loss(model(lambda: Decoder(full, full)), DATA)
    assert abs(found.honest_nats.estimate - found.parallel_nats.estimate) > 1e-3


def test_both_are_over_the_same_targets_and_equal_a_plain_computation():
    tested = model(lambda: Decoder(full, full))
    found = paired_loss(tested, DATA, batch_size=3)
    parallel, honest = [], []
    for row in DATA:
        log_p = torch.log_softmax(tested.logits(torch.tensor([row.ids[:-1]]))[0], dim=-1)
        for t in range(row.first_target, len(row.ids)):
            parallel.append(-float(log_p[t - 1, row.ids[t]]))
            alone = torch.log_softmax(tested.logits(torch.tensor([row.ids[:t]]))[0, -1], dim=-1)
            honest.append(-float(alone[row.ids[t]]))
    assert found.targets == len(parallel)
    assert found.rows == len(DATA)
    assert found.parallel_nats.estimate == pytest.approx(sum(parallel) / len(parallel), abs=1e-5)
    assert found.honest_nats.estimate == pytest.approx(sum(honest) / len(honest), abs=1e-5)


def test_no_more_targets_are_drawn_than_were_asked_for_and_always_the_same():
    tested = model(lambda: Decoder(causal))
    found = paired_loss(tested, DATA, targets=20, seed=1)
    assert found.targets == 20
    assert found == paired_loss(tested, DATA, targets=20, seed=1)
    assert found != paired_loss(tested, DATA, targets=20, seed=2)


def test_the_batch_size_does_not_matter():
    tested = model(lambda: Decoder(full))
    one, many = paired_loss(tested, DATA, batch_size=1), paired_loss(tested, DATA, batch_size=32)
    assert one.honest_nats.estimate == pytest.approx(many.honest_nats.estimate, abs=1e-6)


def test_no_input_is_padded():
    tested = model(lambda: Decoder(full))
    known = {tuple(row.ids[:n]) for row in DATA for n in range(1, len(row.ids))}
    forward = tested.logits
    tested.logits = lambda ids: forward(ids) if set(map(tuple, ids.tolist())) <= known else pytest.fail("padded")
    paired_loss(tested, DATA, batch_size=4)


def test_nan_is_an_error(golden_text):
    tested = model(lambda: Decoder(causal))
    tested.module.head.bias[:] = math.nan
    with pytest.raises(EvaluationError) as error:
        paired_loss(tested, DATA)
    golden_text(error)


def test_without_targets_there_is_no_loss(golden_text):
    with pytest.raises(ValueError) as error:
        paired_loss(model(lambda: Decoder(causal)), [])
    golden_text(error)
