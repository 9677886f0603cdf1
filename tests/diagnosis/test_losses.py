import math

import pytest
import torch
from leak_models import Decoder, causal, full, model, rows

from evalharness.diagnosis import TokenRow, paired_loss
from evalharness.diagnosis.losses.honest import CERTIFYING
from evalharness.diagnosis.losses.token_losses import token_losses
from evalharness.errors import EvaluationError

DATA = [TokenRow(tuple(row[: 10 + 3 * i]), 4) for i, row in enumerate(rows(count=8))]
TARGETS = sum(len(row.ids) - row.first_target for row in DATA)


def paired(tested, data=DATA, **options):
    return paired_loss(tested, token_losses(tested, data, ()), **options)


def test_a_few_dozen_targets_certify_that_the_loss_of_a_causal_model_is_the_honest_one():
    found = paired(model(lambda: Decoder(causal, causal)), is_causal=True)
    assert found.honest_nats == found.parallel_nats
    assert found.checked == CERTIFYING < found.targets == TARGETS
    assert [row.honest_nats for row in found.by_row] == [row.parallel_nats for row in found.by_row]


def test_a_model_that_was_thought_to_be_causal_and_is_not_gets_an_honest_loss_all_the_same():
    tested = model(lambda: Decoder(full, full))
    found = paired(tested, is_causal=True)
    assert abs(found.honest_nats.estimate - found.parallel_nats.estimate) > 1e-3


def with_prefix(length):
    return causal(length) | (torch.arange(length) < 5)


def test_what_a_declared_prefix_shows_of_itself_is_no_future_and_what_shows_after_it_is():
    data = [TokenRow(row.ids, 1, prompt_tokens=5) for row in DATA]
    found = paired(model(lambda: Decoder(with_prefix)), data, after_prompt=True)
    assert found.honest_nats.estimate == pytest.approx(found.parallel_nats.estimate, abs=1e-5)
    counting_it = paired(model(lambda: Decoder(with_prefix)), data)
    leaking = paired(model(lambda: Decoder(full)), data, after_prompt=True)
    assert all(abs(f.honest_nats.estimate - f.parallel_nats.estimate) > 1e-3 for f in (counting_it, leaking))


def test_in_a_causal_model_that_was_not_shown_to_be_both_losses_are_equal():
    found = paired(model(lambda: Decoder(causal, causal)))
    for bound in ("estimate", "low", "high"):
        assert getattr(found.honest_nats, bound) == pytest.approx(getattr(found.parallel_nats, bound), abs=1e-5)


def test_of_all_targets_the_honest_loss_equals_a_plain_computation(monkeypatch):
    monkeypatch.setattr("evalharness.diagnosis.losses.honest.NARROW_NATS", 0.0)
    monkeypatch.setattr("evalharness.diagnosis.losses.honest.NARROW_SHARE", 0.0)
    tested = model(lambda: Decoder(full, full))
    found = paired(tested, batch_size=3)
    parallel, honest = [], []
    for row in DATA:
        log_p = torch.log_softmax(tested.logits(torch.tensor([row.ids[:-1]]))[0], dim=-1)
        for t in range(row.first_target, len(row.ids)):
            parallel.append(-float(log_p[t - 1, row.ids[t]]))
            alone = torch.log_softmax(tested.logits(torch.tensor([row.ids[:t]]))[0, -1], dim=-1)
            honest.append(-float(alone[row.ids[t]]))
    assert found.checked == found.targets == len(parallel)
    assert found.rows == len(DATA)
    assert found.parallel_nats.estimate == pytest.approx(sum(parallel) / len(parallel), abs=1e-5)
    assert found.honest_nats.estimate == pytest.approx(sum(honest) / len(honest), abs=1e-5)


def test_no_more_targets_are_drawn_than_were_asked_for_and_always_the_same():
    tested = model(lambda: Decoder(full, full))
    found = paired(tested, targets=20, seed=1)
    assert found.checked == 2 * len(DATA)
    assert found == paired(tested, targets=20, seed=1)
    assert found != paired(tested, targets=20, seed=2)


def test_the_batch_size_does_not_matter():
    tested = model(lambda: Decoder(full))
    one, many = paired(tested, batch_size=1), paired(tested, batch_size=32)
    assert one.honest_nats.estimate == pytest.approx(many.honest_nats.estimate, abs=1e-6)


def test_no_input_is_padded():
    tested = model(lambda: Decoder(full))
    known = {tuple(row.ids[:n]) for row in DATA for n in range(1, len(row.ids))}
    forward = tested.logits
    tested.logits = lambda ids: forward(ids) if set(map(tuple, ids.tolist())) <= known else pytest.fail("padded")
    paired(tested, batch_size=4)


def test_each_target_is_told_of():
    told = []
    found = paired(model(lambda: Decoder(full)), advance=lambda: told.append(1))
    assert len(told) == found.checked > 0


def test_a_row_is_measured_alike_whole_and_in_parts(monkeypatch):
    tested = model(lambda: Decoder(causal, causal))
    whole = token_losses(tested, DATA, (1, 2))
    monkeypatch.setattr("evalharness.models.log_softmax.CHUNK", 5 * tested.vocabulary_rows)
    for one, other in zip(whole, token_losses(tested, DATA, (1, 2)), strict=True):
        for name in ("nll_nats", "at_offset_nats", "mean_nll_nats", "end_log_p", "end_rank", "best"):
            assert getattr(one, name) == pytest.approx(getattr(other, name), nan_ok=True)


def test_nan_is_an_error(golden_text):
    tested = model(lambda: Decoder(causal))
    losses = token_losses(tested, DATA, ())
    tested.module.head.bias[:] = math.nan
    with pytest.raises(EvaluationError) as error:
        paired_loss(tested, losses)
    golden_text(error)


def test_without_targets_there_is_no_loss(golden_text):
    with pytest.raises(ValueError) as error:
        paired(model(lambda: Decoder(causal)), [])
    golden_text(error)
