"""What a model and one batch tell before the first step: asked through the public function."""

from __future__ import annotations

import pytest
import torch
from golden_text import MEASURED
from leak_models import ROWS, Bag, Decoder, Recurrent, blocks_of_64, causal, full, last_token, sliding_window
from torch import nn
from torch.nn import functional

import evalharness
from evalharness.records import Finding

END, PAD = 1, 0


def ids(rows=4, length=48, low=2):
    return torch.randint(low, ROWS, (rows, length), generator=torch.Generator().manual_seed(3))


def pair(rows=4, length=48):
    whole = ids(rows, length)
    return whole[:, :-1], whole[:, 1:]


def outcome(diagnosis, probe):
    every = (*diagnosis.findings, *diagnosis.ruled_out, *diagnosis.not_testable)
    return next(found for found in every if found.probe == probe)


def asked(model, batch, **how):
    return evalharness.preflight(model, batch, check=False, **how)


class Tokens:
    """Ids below the vocabulary as letters; ``ab`` is one token of its own."""

    vocab_size = ROWS
    pad_token_id = PAD
    eos_token_id = END

    def encode(self, text):
        found, place = [], 0
        while place < len(text):
            step = 2 if text.startswith("cd", place) else 1
            found.append(ROWS - 1 if step == 2 else ord(text[place]) - 97)
            place += step
        return found

    def decode(self, ids):
        return "".join("cd" if i == ROWS - 1 else chr(97 + i) for i in ids)


SEEN = MEASURED | {
    r"(?<=position )\d+|(?<=a row of )\d+|(?<=by up to )\d+(?=\. )": "<number>",
    r"(?<=range from -)\d+(?= to)|(?<= to )\d+(?=\.\n)": "<number>",
}
"""What a random model shows of a leak, and where."""


@pytest.mark.parametrize("mask", [full, blocks_of_64, last_token])
def test_a_model_that_sees_the_future_is_stopped_before_its_first_step(mask, golden_text):
    with pytest.raises(evalharness.PreflightError) as error:
        evalharness.preflight(Decoder(causal, mask), pair(length=100))
    golden_text(error, SEEN)


def test_a_diagnosis_prints_as_lines_with_what_was_found_first(golden_text):
    golden_text(str(asked(Decoder(full), pair(length=100))), SEEN)


@pytest.mark.parametrize("make", [lambda: Decoder(causal), lambda: Decoder(sliding_window), Recurrent])
def test_a_sound_model_is_let_through_with_everything_that_was_ruled_out(make):
    found = evalharness.preflight(make(), pair())
    assert not found.causes
    assert {"future_leak", "label_shift", "padding_in_loss", "stochastic_forward"} <= {o.probe for o in found.ruled_out}


def test_a_leak_in_training_mode_alone_is_found_with_dropout_left_out_of_it(golden_text):
    class Switching(nn.Module):
        def __init__(self):
            super().__init__()
            self.sound, self.leaky = Decoder(causal), Decoder(full)

        def forward(self, ids):
            return self.leaky(ids) if self.training else self.sound(ids)

    golden_text(outcome(asked(Switching(), pair()), "future_leak").claim, SEEN)


def test_dropout_of_every_make_is_no_leak_and_no_noise():
    class Functional(Decoder):
        def __init__(self):
            super().__init__(causal)
            self.dropout = 0.3

        def forward(self, ids):
            return functional.dropout(super().forward(ids), self.dropout, self.training)

    assert not asked(Functional(), pair()).causes


def test_noise_in_evaluation_mode_is_a_cause():
    class Noisy(Decoder):
        def forward(self, ids):
            return functional.dropout(super().forward(ids), 0.3, training=True)

    assert {f.probe for f in asked(Noisy(causal), pair()).causes} == {"stochastic_forward"}


@pytest.mark.parametrize(("shift", "names"), [(0, "its own input"), (2, "shifted twice"), (3, "shifted three times")])
def test_targets_at_another_offset_are_a_cause_and_are_named(shift, names):
    whole = ids(length=60)
    found = outcome(asked(Decoder(causal), (whole[:, :50], whole[:, shift : 50 + shift])), "label_shift")
    assert isinstance(found, Finding)
    assert found.severity == "cause"
    assert names in found.claim


def test_labels_of_transformers_equal_the_inputs_and_are_a_cause_where_they_are_shifted_already():
    whole = ids()
    assert not asked(Decoder(causal), {"input_ids": whole, "labels": whole}).causes
    shifted = functional.pad(whole[:, 1:], (0, 1), value=-100)
    found = asked(Decoder(causal), {"input_ids": whole, "labels": shifted})
    assert [f.probe for f in found.causes] == ["label_shift"]
    assert "twice" in found.causes[0].claim


def test_a_few_replaced_targets_do_not_hide_the_offset_and_random_targets_have_none():
    inputs, targets = pair()
    targets = targets.clone()
    targets[0, :3] = 5
    assert (
        outcome(asked(Decoder(causal), (inputs, targets)), "label_shift")
        in asked(Decoder(causal), (inputs, targets)).ruled_out
    )
    other = torch.randint(2, ROWS, inputs.shape, generator=torch.Generator().manual_seed(9))
    assert outcome(asked(Decoder(causal), (inputs, other)), "label_shift").kind == "does_not_apply"


def padded(padding=PAD, mask=False):
    whole = ids(length=60)
    whole[:, 12], whole[:, 13:] = END, padding
    targets = whole.clone()
    if mask:
        targets[:, 13:] = -100
    return whole[:, :-1], targets[:, 1:]


@pytest.mark.parametrize("padding", [PAD, END, 7])
def test_padding_that_counts_is_a_cause_whether_it_is_named_is_the_end_token_or_neither(padding):
    found = outcome(asked(Decoder(causal), padded(padding), tokenizer=Tokens()), "padding_in_loss")
    assert isinstance(found, Finding)
    assert found.severity == "cause"
    assert found.evidence["share"] == pytest.approx(47 / 59, abs=0.02)


def test_padding_that_is_masked_does_not_count_and_the_end_before_it_does():
    found = asked(Decoder(causal), padded(mask=True), tokenizer=Tokens())
    assert outcome(found, "padding_in_loss").evidence["padding"] == 0
    assert outcome(found, "no_end_token").evidence["end_targets"] == 4


def test_an_end_token_that_is_masked_with_the_padding_is_named():
    inputs, targets = padded(END)
    found = outcome(
        asked(Decoder(causal), (inputs, targets.masked_fill(targets == END, -100)), tokenizer=Tokens()), "no_end_token"
    )
    assert isinstance(found, Finding)
    assert found.evidence["end_targets"] == 0 < found.evidence["end_inputs"]


def test_full_rows_without_an_end_prove_nothing():
    assert outcome(asked(Decoder(causal), pair(), tokenizer=Tokens()), "no_end_token").kind == "undecided"


def test_the_share_of_masked_prompts_is_said():
    whole = ids()
    labels = whole.clone()
    labels[:, :12] = -100
    found = outcome(asked(Decoder(causal), {"input_ids": whole, "labels": labels}), "prompt_in_loss")
    assert found.evidence["masked"] == 0.25


def test_a_token_that_would_reach_across_the_prompts_boundary_is_a_note():
    whole = torch.tensor([[4, 5, 2, 3, 6, 7]] * 4)  # "ef" + "c" | "d" + …: "cd" is one token
    labels = whole.clone()
    labels[:, :3] = -100
    batch = {"input_ids": whole, "labels": labels}
    assert outcome(asked(Decoder(causal), batch, tokenizer=Tokens()), "token_boundary").severity == "note"
    assert "tokenizer" in outcome(asked(Decoder(causal), batch), "token_boundary").reason


@pytest.mark.parametrize("wrong", [ROWS, -3])
def test_ids_without_a_row_are_a_cause_before_anything_is_run(wrong):
    inputs, targets = pair()
    targets = targets.clone()
    targets[0, 0] = wrong
    found = asked(Decoder(causal), (inputs, targets))
    assert [f.probe for f in found.causes] == ["vocabulary"]
    assert str(wrong) in found.causes[0].claim


def test_a_first_loss_far_above_ln_v_is_a_note():
    sure = Decoder(causal)
    with torch.no_grad():
        sure.head.weight.mul_(60)
    found = outcome(asked(sure, pair()), "first_loss")
    assert found.severity == "note"
    assert outcome(asked(Decoder(causal), pair()), "first_loss").evidence["loss_nats"] == pytest.approx(3.4, abs=1)


class Normed(nn.Module):
    """With running statistics and dropout: everything that a forward pass changes or draws."""

    def __init__(self):
        super().__init__()
        self.embedding, self.head = nn.Embedding(ROWS, 8), nn.Linear(8, ROWS)
        self.norm, self.dropout = nn.BatchNorm1d(8), nn.Dropout(0.5)

    def forward(self, ids):
        return self.head(self.dropout(self.norm(self.embedding(ids).transpose(1, 2)).transpose(1, 2)))


def test_training_goes_on_exactly_as_if_nobody_had_asked():
    def trained(ask):
        torch.manual_seed(0)
        model = Normed().train()
        if ask:
            asked(model, pair())
        assert model.training
        assert model.dropout.p == 0.5
        inputs, targets = pair()
        loss = functional.cross_entropy(model(inputs).flatten(0, 1), targets.flatten())
        loss.backward()
        return loss.item(), model.embedding.weight.grad, model.norm.running_mean

    for one, other in zip(trained(True), trained(False), strict=True):
        assert torch.equal(torch.as_tensor(one), torch.as_tensor(other))


def test_a_model_that_gives_all_positions_only_beside_targets_is_asked_so():
    class LastOnly(Decoder):
        def forward(self, ids, targets=None):
            logits = super().forward(ids)
            return (logits, None) if targets is not None else (logits[:, -1:], None)

    assert "future_leak" in {o.probe for o in evalharness.preflight(LastOnly(causal), pair()).ruled_out}


def test_a_model_of_transformers_and_its_batch_are_asked_as_they_are():
    from transformers import GPT2Config, GPT2LMHeadModel

    model = GPT2LMHeadModel(GPT2Config(vocab_size=ROWS, n_positions=64, n_embd=32, n_layer=2, n_head=2))
    whole = ids()
    batch = {"input_ids": whole, "labels": whole, "attention_mask": torch.ones_like(whole)}
    found = evalharness.preflight(model, batch)
    assert {"future_leak", "label_shift"} <= {o.probe for o in found.ruled_out}


def test_a_model_that_looks_at_one_token_alone_is_not_called_causal():
    assert outcome(asked(Bag(), pair()), "future_leak").kind == "undecided"


@pytest.mark.parametrize(
    ("batch", "says"),
    [
        ([1, 2, 3], "is a list"),
        ({"ids": 1}, "the keys ids"),
        ((torch.rand(2, 8), torch.rand(2, 8)), "whole numbers"),
        ((torch.zeros(2, 8, dtype=torch.long), torch.zeros(2, 7, dtype=torch.long)), "differ in shape"),
    ],
)
def test_a_batch_that_is_none_gets_one_clear_line(batch, says):
    with pytest.raises(evalharness.EvalHarnessError, match=says):
        evalharness.preflight(Decoder(causal), batch)
