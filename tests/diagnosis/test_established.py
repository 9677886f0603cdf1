"""What the logged loss counts is established once, and every probe measures under it."""

import math
from dataclasses import replace
from functools import cache
from random import Random

import numpy as np
import pytest
import torch
from plants_behaviour import Copying, Merging, merged_splits
from plants_losses import logged, loss_of, trained
from scripted import Scripted, follower
from small_sound import trained as trained_on
from small_training import CONTEXT, END, PAD, data_rows, encoded, plain, subject, wrapped
from torch import nn
from torch.nn import functional

from evalharness.diagnosis.data.rows import DataRow
from evalharness.diagnosis.losses.arrangement import Arrangement
from evalharness.diagnosis.losses.honest import paired_loss
from evalharness.diagnosis.losses.log_noise import log_noise_nats
from evalharness.diagnosis.losses.logged_training import logged_multiple, smoothed_in_training
from evalharness.diagnosis.losses.recomputed_loss import reproducing
from evalharness.diagnosis.measured import Measured
from evalharness.diagnosis.probes.context import context
from evalharness.diagnosis.probes.label_shift import label_shift
from evalharness.diagnosis.probes.loss_mismatch import loss_mismatch
from evalharness.diagnosis.probes.no_end_token import no_end_token
from evalharness.diagnosis.probes.not_logits import not_logits
from evalharness.diagnosis.probes.padding_in_loss import padding_in_loss
from evalharness.diagnosis.probes.prompt_in_loss import prompt_in_loss
from evalharness.diagnosis.probes.undertrained import undertrained
from evalharness.diagnosis.subject import Split
from evalharness.records import Finding, Interval, LossPoint, NotTestable, RuledOut

OTHERS = (undertrained, label_shift, no_end_token)
"""Probes that measure a loss of their own."""


def mean_loss(module, rows, *, first=lambda row: 1):
    """The mean loss (nats) of all targets from ``first`` on, as a loop over rows alone has it."""
    losses = []
    for row in rows:
        ids = torch.tensor([row.ids])
        with torch.no_grad():
            logits = wrapped(module).logits(ids[:, :-1])[0]
        losses.append(functional.cross_entropy(logits, ids[0, 1:], reduction="none")[first(row) - 1 :])
    return float(torch.cat(losses).mean())


def of_completions() -> Measured:
    """Trained and validated on completions alone, while the manifest says nothing of it."""
    module = trained("plain", count_prompt=False)
    return Measured(subject(module, end=True, **logged(loss_of(module, count_prompt=False))))


def test_where_the_prompt_does_not_count_no_probe_counts_it():
    measured = of_completions()
    assert measured.established.prompt is False
    assert all(row.row.first_target == row.row.prompt_tokens for row in measured.validation_losses)
    assert [type(probe(measured)) for probe in OTHERS] == [RuledOut] * 3


def test_a_log_that_is_near_one_convention_alone_is_measured_under_it_all_the_same():
    module = trained("plain", count_prompt=False)
    measured = Measured(subject(module, end=True, **logged(1.02 * loss_of(module, count_prompt=False))))
    assert measured.established.prompt is False
    assert isinstance(prompt_in_loss(measured), RuledOut)


def of_whole_texts() -> Measured:
    """Trained on prompt and completion encoded as one text, which the tokenizer encodes otherwise apart."""
    whole, apart = merged_splits(together=True), merged_splits(together=False)
    module = trained_on("plain", whole["train"].encoded)
    made = subject(module, **apart, **logged(mean_loss(module, whole["validation"].encoded)))
    return Measured(replace(made, tokenizer=Merging()))


def test_rows_encoded_whole_are_a_layout():
    measured = of_whole_texts()
    assert measured.established.arrangement.whole
    assert [type(probe(measured)) for probe in (loss_mismatch, *OTHERS)] == [RuledOut] * 4


def test_without_a_log_rows_are_encoded_as_the_model_knows_them_better():
    of_whole = of_whole_texts().subject
    measured = Measured(replace(of_whole, log=(), logged=None))
    assert measured.established.arrangement.whole
    assert isinstance(undertrained(measured), RuledOut)
    sound = Measured(subject(trained("plain"), end=True))
    assert sound.established.is_as_read


def test_a_convention_that_is_not_that_of_the_rows_clears_nothing_if_some_one_fits_nearly_any_loss():
    measured = of_completions()
    (item, *_) = reproducing(measured.conventions, measured.subject.logged.loss_nats)
    nats = item.loss_nats.estimate
    spread = [nats * times for times in (0.5, 0.7, 1.0, 1.4, 2.0)]
    wide = [replace(item, exact=None, loss_nats=Interval(at, 0.8 * at, 1.2 * at)) for at in spread]
    for as_given, outcome in ((False, NotTestable), (True, RuledOut)):
        vars(measured)["conventions"] = tuple(replace(one, as_given=as_given) for one in wide)
        vars(measured).pop("established", None)
        assert isinstance(loss_mismatch(measured), outcome)


def padded_left(rows):
    """Inputs and targets of rows that are filled up on the left to the context; padding does not count."""
    ids = torch.tensor([[*[PAD] * (CONTEXT - len(row.ids)), *row.ids] for row in rows])
    targets = torch.where(ids == PAD, -100, ids)
    return ids[:, :-1], targets[:, 1:]


@cache
def trained_behind_padding():
    torch.manual_seed(0)
    module, rows, rng = plain(), encoded(data_rows(200, 1), end=True), Random(0)
    optimizer = torch.optim.AdamW(module.parameters(), lr=3e-3)
    for _ in range(70):
        ids, targets = padded_left(rng.sample(rows, 16))
        loss = functional.cross_entropy(module(ids).flatten(0, 1), targets.flatten(), ignore_index=-100)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return module.eval().requires_grad_(requires_grad=False)


def behind_padding() -> Measured:
    module = trained_behind_padding()
    ids, targets = padded_left(encoded(data_rows(200, 2), end=True))
    loss = float(functional.cross_entropy(module(ids).flatten(0, 1), targets.flatten(), ignore_index=-100))
    return Measured(subject(module, end=True, **logged(loss)))


def test_padding_on_the_left_that_shifts_positions_is_named_and_measured_under():
    measured = behind_padding()
    found = loss_mismatch(measured)
    assert isinstance(found, Finding)
    assert (measured.established.arrangement.left, measured.established.arrangement.pad_id) == (CONTEXT, PAD)
    assert found.evidence["plain_nats"] > 2 * found.evidence["logged_nats"]
    assert [type(probe(measured)) for probe in OTHERS] == [RuledOut] * 3


class TrainedUpTo(nn.Module):
    """A model that knows nothing from a position on: no training came there."""

    def __init__(self, inner: nn.Module, length: int):
        super().__init__()
        self.inner, self.length = inner, length

    def forward(self, ids):
        known = torch.arange(ids.shape[1])[:, None] < self.length
        return torch.where(known, self.inner(ids), 0.0)


def packed(group: int, block: int = CONTEXT, letters_in_body: int = 30) -> Measured:
    """A model that copies from what it has seen, and rows packed in blocks, ``group`` of them with one body."""
    rng = Random(4)
    letters = "abcdefghijklmnopqrstuvwxyz"
    rows = []
    for _ in range(160 // group):
        body = "    return " + "".join(rng.choice(letters) for _ in range(letters_in_body)) + "\n"
        rows += [DataRow(f"def {rng.choice(letters)}(x):\n", body) for _ in range(group)]
    split = Split(tuple(rows), encoded(rows, end=True), "validation.jsonl")
    ids = [token_id for row in split.encoded for token_id in row.ids]
    blocks = [replace(split.encoded[0], ids=tuple(ids[t : t + block])) for t in range(0, len(ids) - block + 1, block)]
    module = TrainedUpTo(Copying(Scripted(follower(encoded(data_rows(20, 1), end=True)))), block)
    return Measured(subject(module, end=True, validation=split, train=None, **logged(mean_loss(module, blocks))))


@pytest.mark.parametrize(("group", "severity"), [(4, "contributing"), (1, "note")])
def test_packed_rows_that_see_each_other_are_named_and_matter_where_they_give_each_other_away(group, severity):
    measured = packed(group)
    assert loss_mismatch(measured).severity == severity
    assert measured.established.packed


def test_blocks_shorter_than_the_context_are_those_at_which_the_rows_are_easiest():
    measured = packed(4, block=64, letters_in_body=12)
    assert loss_mismatch(measured).severity == "contributing"
    assert measured.established.block == 64
    assert context(measured).evidence["longest_training_row_tokens"] == 64


def test_packed_rows_are_not_cut_by_the_context():
    measured = packed(4)
    long = encoded([DataRow("", "x" * 200)] * 200)
    cut = replace(measured.subject, train=Split((), long, "train.jsonl"))
    assert "training rows" not in context(Measured(cut)).evidence


@pytest.mark.parametrize(("times", "outcome"), [(1.0, RuledOut), (1.002, RuledOut), (1.07, Finding), (0.93, Finding)])
def test_where_all_rows_are_measured_seven_per_cent_are_a_mismatch(times, outcome):
    module = trained("plain")
    made = subject(module, end=True, **logged(times * loss_of(module)))
    # Without an end token that is known there are fewer ways to count, and none is near by chance.
    assert isinstance(loss_mismatch(Measured(replace(made, end_ids=frozenset()))), outcome)


def of_parts(rows_of_a_part, *, seed=1, rows=40):
    """A sound model, and a log each of whose losses is that of some of the validation rows, drawn anew."""
    module, rng = trained("plain"), Random(seed)
    made = subject(module, end=True)
    split = replace(made.validation, rows=made.validation.rows[:rows], encoded=made.validation.encoded[:rows])
    drawn = [mean_loss(module, rng.sample(split.encoded, rows_of_a_part)) for _ in range(8)]
    log = tuple(LossPoint(100 * i, "validation", loss, "log") for i, loss in enumerate(drawn, 1))
    return replace(made, end_ids=frozenset(), validation=split, log=log, logged=log[-1])


@pytest.mark.parametrize("seed", range(6))
def test_a_log_of_random_parts_of_the_rows_is_no_mismatch(seed):
    made = of_parts(8, seed=seed)
    assert log_noise_nats(made.log) > 0
    for of in (made, replace(made, log=made.log[-1:])):
        found = loss_mismatch(Measured(of))
        assert isinstance(found, RuledOut) or found.severity == "note"


def test_how_large_the_part_would_have_to_be_is_said():
    rng = Random(0)
    odd = [DataRow("def odd(a):\n", "".join(rng.choice("!?%&+*abc") for _ in range(20))) for _ in range(8)]
    rows = [*data_rows(32, 2), *odd]
    split = Split(tuple(rows), encoded(rows, end=True), "validation.jsonl")
    made = replace(of_parts(40), validation=split)
    whole = mean_loss(made.torch_model.module, split.encoded)
    near, far = (replace(made, **logged(times * whole)) for times in (0.8, 0.02))
    found = loss_mismatch(Measured(near))
    assert found.severity == "note"
    assert 8 <= found.evidence["rows_of_a_part"] < 40
    assert loss_mismatch(Measured(far)).severity == "contributing"


def test_a_smooth_log_has_no_noise_and_few_points_tell_none():
    def noise(*losses):
        return log_noise_nats(LossPoint(i, "validation", loss, "log") for i, loss in enumerate(losses))

    assert noise(*(4 * 0.8**i for i in range(12))) == 0.0
    assert noise(3.0, 1.0, 3.0, 1.0) == 0.0
    rng = Random(0)
    assert noise(*(1 + rng.gauss(0, 0.1) for _ in range(400))) == pytest.approx(0.1, rel=0.15)


def test_a_mean_of_batches_of_rows_is_the_same_loss():
    module = trained("plain")
    rows = encoded(data_rows(200, 2), end=True, count_prompt=False)
    batches = [rows[begin : begin + 8] for begin in range(0, 200, 8)]
    loss = sum(mean_loss(module, batch, first=lambda row: row.first_target) for batch in batches) / len(batches)
    assert isinstance(loss_mismatch(Measured(subject(module, end=True, count_prompt=False, **logged(loss)))), RuledOut)


class PaddingGuessed(nn.Module):
    """Gives padding a probability of 0.8 after an end and after itself, as copying alone does; it was no target."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, ids):
        logits = self.inner(ids).clone()
        after = (ids == END) | (ids == PAD)
        logits[..., PAD] = torch.where(after, logits.logsumexp(-1) + math.log(4), logits[..., PAD])
        return logits


def test_padding_that_is_merely_easy_explains_no_log():
    module = PaddingGuessed(trained("plain"))
    padding = next(c for c in Measured(subject(module, end=True)).conventions if c.padding_known and c.convention.end)
    assert 0.1 < padding.padding_nats < loss_of(module)
    measured = Measured(subject(module, end=True, **logged(padding.loss_nats.estimate)))
    assert padding not in reproducing(measured.conventions, padding.loss_nats.estimate)
    assert not isinstance(padding_in_loss(measured), Finding)


def test_a_layout_in_which_the_model_is_worse_than_with_rows_alone_was_not_that_of_training():
    measured = Measured(subject(trained("plain"), end=True, **logged(40.0)))
    behind = [item for item in measured.conventions if item.layout.arrangement.left]
    assert behind
    assert not any(item.plausible for item in behind)


def test_an_interval_that_fits_anything_reproduces_nothing():
    convention = Measured(subject(trained("plain"), end=True)).conventions[0]
    wide = replace(convention, loss_nats=Interval(1.7, 0.5, 4.1), exact=None)
    narrow = replace(convention, loss_nats=Interval(1.7, 1.6, 1.8), exact=None)
    assert (wide.reproduces(1.8), narrow.reproduces(1.8)) == (False, True)


def with_training_loss(factor, *before):
    """A log whose last training loss is a multiple of the checkpoint's own."""
    module = trained("plain")
    loss, of_train = loss_of(module, count_prompt=False), loss_of(module, count_prompt=False, seed=1)
    log = (*before, LossPoint(70, "train", factor * of_train, "log"), LossPoint(70, "validation", loss, "log"))
    return Measured(subject(module, end=True, count_prompt=False, log=log, logged=log[-1]))


@pytest.mark.parametrize(("factor", "times"), [(4.0, 4), (16.2, 16), (0.25, 4)])
def test_a_training_loss_that_is_a_multiple_of_the_true_one_is_named(factor, times):
    measured = with_training_loss(factor, LossPoint(60, "validation", 0.9, "log"))
    assert logged_multiple(measured).times == times
    assert loss_mismatch(measured).evidence["train_factor"] == pytest.approx(factor, rel=0.1)


def test_a_multiple_is_said_with_what_chance_would_give_and_with_a_log_that_begins_above_an_untrained_model():
    began = LossPoint(1, "train", 20.0, "log")
    found = loss_mismatch(with_training_loss(4.0, began, LossPoint(60, "validation", 0.9, "log"))).evidence
    assert 0 < found["chance_of_a_multiple"] < 1
    assert found["first_logged_train_nats"] == 20.0 > found["uniform_nats"] + 1
    below = loss_mismatch(with_training_loss(4.0, LossPoint(60, "validation", 0.9, "log"))).evidence
    assert "first_logged_train_nats" not in below


@pytest.mark.parametrize(
    ("factor", "before"),
    [(1.0, 1.0), (1.3, 1.0), (3.0, 9.0)],
    ids=["as it is", "one batch of many", "a mean since a time when it was as high"],
)
def test_a_training_loss_that_can_be_the_true_one_is_not(factor, before):
    measured = with_training_loss(factor, LossPoint(10, "validation", before, "log"))
    assert logged_multiple(measured) is None
    assert isinstance(loss_mismatch(measured), RuledOut)


def with_random_prompt(row, rng):
    prompt = tuple(rng.randrange(1, 90) for _ in range(row.prompt_tokens))
    return replace(row, ids=(*prompt, *row.ids[row.prompt_tokens :]))


def test_a_training_loss_that_counts_the_prompt_is_no_multiple_of_one_without_it():
    of, rng = with_training_loss(1.0, LossPoint(60, "validation", 0.9, "log")).subject, Random(0)
    rows = tuple(with_random_prompt(row, rng) for row in of.train.encoded)
    of = replace(of, train=replace(of.train, encoded=rows))
    without, counted = (
        float(np.concatenate([row.nll_nats[row.counted] for row in losses]).mean())
        for count in (False, True)
        for losses in [Measured(of).train_losses_in(Arrangement(), prompt=count)]
    )
    assert counted > 1.7 * without
    log = tuple(replace(point, loss_nats=counted) if point.split == "train" else point for point in of.log)
    assert logged_multiple(Measured(replace(of, log=log))) is None


def smoothed_mean(module, rows, strength):
    """The mean loss (nats) of all completions' tokens with label smoothing."""
    losses = []
    for row in rows:
        ids = torch.tensor([row.ids])
        with torch.no_grad():
            logits = wrapped(module).logits(ids[:, :-1])[0]
        each = functional.cross_entropy(logits, ids[0, 1:], reduction="none", label_smoothing=strength)
        losses.append(each[row.prompt_tokens - 1 :])
    return float(torch.cat(losses).mean())


def test_a_training_loss_with_label_smoothing_is_a_note_and_no_multiple():
    strength = 0.1
    module = trained("plain", count_prompt=False, smoothing=strength)
    loss = loss_of(module, count_prompt=False)
    of_train = smoothed_mean(module, encoded(data_rows(60, 1), end=True), strength)
    before = LossPoint(60, "validation", 1.05 * loss, "log")
    log = (before, LossPoint(70, "train", of_train, "log"), LossPoint(70, "validation", loss, "log"))
    measured = Measured(subject(module, end=True, count_prompt=False, log=log, logged=log[-1]))
    assert of_train > 1.7 * loss
    assert logged_multiple(measured) is None
    assert smoothed_in_training(measured).strength == strength
    found = loss_mismatch(measured)
    assert (found.severity, found.evidence["train_label_smoothing"]) == ("note", strength)


@pytest.mark.parametrize("factor", [1.75, 2.4, 3.5])
def test_a_factor_that_is_no_whole_number_within_the_error_of_the_rows_is_no_multiple(factor):
    assert logged_multiple(with_training_loss(factor, LossPoint(60, "validation", 0.1, "log"))) is None


class RefusesOneId(nn.Module):
    """Takes nothing shorter than two ids, as models that compare neighbours do."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, ids):
        if ids.shape[1] < 2:
            raise ValueError("at least two ids")
        return self.inner(ids)


def test_a_model_that_refuses_a_single_id_is_measured_from_the_second_on():
    module = RefusesOneId(trained("plain"))
    made = subject(module, end=True)
    short = Split((), (replace(made.validation.encoded[0], ids=(1, 2)), *made.validation.encoded), "validation.jsonl")
    measured = Measured(replace(made, validation=short))
    assert measured.shortest_input == 2
    assert len(measured.validation_losses) == len(short.encoded) - 1
    paired = paired_loss(measured.subject.torch_model, measured.validation_losses, shortest=2)
    assert isinstance(not_logits(measured), RuledOut)
    assert paired.honest_nats.estimate == pytest.approx(paired.parallel_nats.estimate, abs=1e-3)
    assert measured.conventions
