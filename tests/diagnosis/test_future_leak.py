import copy

import pytest
import torch
from leak_models import (
    CONTEXT,
    ROWS,
    Bag,
    Decoder,
    Recurrent,
    beyond_a_distance,
    blocks_of_64,
    causal,
    full,
    last_token,
    model,
    next_token,
    only_later,
    past_a_length,
    rows,
    sliding_window,
)
from torch import nn

from evalharness.diagnosis import future_leak, future_leak_in_both_modes, redrawn_copy
from evalharness.errors import EvaluationError
from evalharness.records import Finding, NotTestable, RuledOut, leaks_when_evaluated

LEAKS = {
    "no mask": lambda: Decoder(full, full),
    "the next token only": lambda: Decoder(next_token, next_token),
    "within blocks of 64": lambda: Decoder(blocks_of_64, blocks_of_64),
    "one layer of three": lambda: Decoder(causal, full, causal),
    "the last layer": lambda: Decoder(causal, causal, full),
    "beyond a distance": lambda: Decoder(beyond_a_distance, causal),
    "the last token": lambda: Decoder(causal, last_token),
    "past a length": lambda: Decoder(past_a_length, past_a_length),
    "a finite mask": lambda: Decoder(causal, causal, hidden=-1.0),
    "a finite mask that scores override": lambda: Decoder(causal, hidden=-50.0, gain=60.0),
    "nothing but the future": lambda: Decoder(only_later),
    "two directions": lambda: Recurrent(bidirectional=True),
}
SOUND = {
    "a mask": lambda: Decoder(causal, causal),
    "a large finite mask": lambda: Decoder(causal, hidden=-1e9),
    "a sliding window": lambda: Decoder(sliding_window, sliding_window),
    "recurrence": Recurrent,
    "half precision": lambda: Decoder(causal, causal).bfloat16(),
    "one layer": lambda: Decoder(causal),
}


@pytest.mark.parametrize("make", LEAKS.values(), ids=LEAKS.keys())
def test_a_leak_is_found_whatever_its_form(make):
    found = future_leak(model(make), rows())
    assert isinstance(found, Finding)
    assert found.severity == "cause"
    assert found.evidence["largest_change_nats"] > found.evidence["threshold_nats"]
    assert found.evidence["position"] <= found.evidence["cut"] < found.evidence["length"] - 1


@pytest.mark.parametrize("make", SOUND.values(), ids=SOUND.keys())
def test_a_sound_model_is_cleared(make):
    found = future_leak(model(make), rows())
    assert isinstance(found, RuledOut)
    assert found.evidence["largest_change_nats"] <= found.evidence["threshold_nats"] < 1e-2


@pytest.mark.parametrize("seed", range(5))
def test_no_seed_changes_the_answer(seed):
    assert isinstance(future_leak(model(LEAKS["within blocks of 64"]), rows(), seed=seed), Finding)
    assert isinstance(future_leak(model(SOUND["a mask"]), rows(), seed=seed), RuledOut)


def test_a_leak_in_half_precision_is_found():
    assert isinstance(future_leak(model(lambda: Decoder(full, full).bfloat16()), rows()), Finding)


@pytest.mark.parametrize("context_length", [2, 3, 9, CONTEXT])
def test_short_contexts_can_be_tested(context_length):
    assert isinstance(future_leak(model(lambda: Decoder(full), context_length), rows()), Finding)
    assert isinstance(future_leak(model(lambda: Decoder(causal), context_length), rows()), RuledOut)


def test_a_model_that_is_given_a_begin_token_is_cleared():
    assert isinstance(future_leak(model(SOUND["a mask"]), [[0, *row] for row in rows()]), RuledOut)


def test_a_model_that_holds_ids_out_by_infinity_can_be_tested():
    class HoldsOut(nn.Module):
        def __init__(self, mask):
            super().__init__()
            self.inner = Decoder(mask)

        def forward(self, ids):
            return self.inner(ids).masked_fill(torch.arange(ROWS) > 25, -torch.inf)

    assert isinstance(future_leak(model(lambda: HoldsOut(causal)), rows()), RuledOut)
    assert isinstance(future_leak(model(lambda: HoldsOut(full)), rows()), Finding)


def test_only_ids_that_occur_are_tried():
    seen = set()
    tested = model(SOUND["a mask"])
    forward = tested.logits
    tested.logits = lambda ids: seen.update(ids.flatten().tolist()) or forward(ids)
    future_leak(tested, [[3, 5, 7]])
    assert seen == {3, 5, 7}


def zeroed(make, *names):
    tested = model(make)
    with torch.no_grad():
        for name, parameter in tested.module.named_parameters():
            if any(part in name for part in names):
                parameter.zero_()
    return tested


@pytest.mark.parametrize("zero", [("head",), ("out_proj",), ("head", "out_proj")])
def test_an_untrained_model_that_starts_at_zero_is_asked_again_as_a_redrawn_copy(zero):
    for make, expected in ((LEAKS["no mask"], Finding), (SOUND["a mask"], RuledOut)):
        tested = zeroed(make, *zero)
        before = copy.deepcopy(tested.module.state_dict())
        assert isinstance(future_leak(tested, rows()), NotTestable)
        assert isinstance(future_leak(tested, rows(), redrawn=lambda of=tested: redrawn_copy(of)), expected)
        after = tested.module.state_dict()
        assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_model_in_which_no_token_sees_another_is_not_testable():
    tested = model(Bag)
    assert isinstance(future_leak(tested, rows(), redrawn=lambda: redrawn_copy(tested)), NotTestable)


def test_a_model_whose_noise_drowns_everything_is_not_cleared():
    class Noisy(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = Decoder(causal)

        def forward(self, ids):
            return nn.functional.dropout(self.inner(ids), 0.5, training=True)

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        assert isinstance(future_leak(model(Noisy), rows()), NotTestable)


class NoisyInTraining(nn.Module):
    """Draws at random in training mode, under no name that says so; there it may see later tokens as well."""

    def __init__(self, *, leaks):
        super().__init__()
        self.evaluated, self.trained = Decoder(causal), Decoder(full if leaks else causal)

    def forward(self, ids):
        logits = self.trained(ids) if self.training else self.evaluated(ids)
        return logits + 5 * torch.randn_like(logits) if self.training else logits


@pytest.mark.parametrize("leaks", [True, False])
def test_what_is_drawn_at_random_in_training_mode_hides_neither_a_leak_nor_its_absence(leaks):
    with torch.random.fork_rng(devices=[]):
        state = torch.random.get_rng_state()
        found = future_leak_in_both_modes(model(lambda: NoisyInTraining(leaks=leaks)), rows())
        assert isinstance(found, Finding) is leaks
        assert found.evidence.get("mode") == ("training" if leaks else None)
        assert leaks_when_evaluated(found) is False
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize("few", [[], [[]], [[4, 4, 4]]])
def test_without_two_different_tokens_there_is_nothing_to_test(few):
    assert isinstance(future_leak(model(SOUND["a mask"]), few), NotTestable)


def test_nan_is_an_error_and_neither_cleared_nor_found():
    tested = model(SOUND["a mask"])
    tested.module.head.weight[0, 0] = float("nan")
    with pytest.raises(EvaluationError, match="NaN"):
        future_leak(tested, rows())


def test_the_same_seed_gives_the_same_evidence():
    assert future_leak(model(LEAKS["no mask"]), rows(), seed=3) == future_leak(model(LEAKS["no mask"]), rows(), seed=3)


def test_a_redrawn_copy_is_always_the_same_and_changes_only_what_was_zero():
    tested = zeroed(SOUND["a mask"], "head")
    one, two = redrawn_copy(tested).module.state_dict(), redrawn_copy(tested).module.state_dict()
    for name, value in tested.module.state_dict().items():
        assert torch.equal(one[name], two[name])
        assert torch.equal(one[name], value) != ("head" in name)


def test_a_search_in_short_rows_alone_says_so():
    short = future_leak(model(lambda: Decoder(causal)), rows(), longest=40)
    assert isinstance(short, RuledOut)
    assert short.evidence["longest_row"] == 40
    whole = future_leak(model(lambda: Decoder(causal)), rows())
    assert isinstance(whole, RuledOut)
    assert "longest_row" not in whole.evidence


class MixesRows(nn.Module):
    """Adds to every position what the whole batch has in the mean: alike in all rows of a batch."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(ROWS, 16)
        self.inner = Decoder(causal)
        self.head = nn.Linear(16, ROWS)

    def forward(self, ids):
        return self.inner(ids) + self.head(self.embedding(ids).mean((0, 1)))


@pytest.mark.parametrize("longest", [7, 40, CONTEXT])
def test_a_leak_that_all_rows_of_a_batch_share_is_found_in_rows_that_stand_alone(longest):
    assert isinstance(future_leak(model(MixesRows), rows(), longest=longest), Finding)


def test_a_model_that_takes_one_row_at_a_time_can_be_tested():
    class OneRow(nn.Module):
        def __init__(self, mask):
            super().__init__()
            self.inner = Decoder(mask)

        def forward(self, ids):
            if len(ids) != 1:
                raise ValueError("one row, please")
            return self.inner(ids)

    assert isinstance(future_leak(model(lambda: OneRow(causal)), rows()), RuledOut)
    assert isinstance(future_leak(model(lambda: OneRow(full)), rows()), Finding)


def test_a_causal_model_is_cleared_in_fewer_passes_than_trials():
    tested, passes = model(SOUND["a mask"]), []
    forward = tested.logits
    tested.logits = lambda ids: passes.append(len(ids)) or forward(ids)
    found = future_leak(tested, rows())
    assert isinstance(found, RuledOut)
    assert len(passes) < found.evidence["trials"] / 2
