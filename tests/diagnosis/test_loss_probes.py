from dataclasses import replace

import pytest
import torch
from leak_models import full
from plants_losses import FAMILIES, LOSS_PROBES, healthy, logged, loss_of, shifted, trained
from small_training import VOCABULARY, data_rows, encoded, plain, subject, train
from torch import nn

from evalharness.diagnosis.data.rows import DataRow
from evalharness.diagnosis.examination import examine
from evalharness.diagnosis.losses.recomputed_loss import reproducing
from evalharness.diagnosis.measured import Measured
from evalharness.diagnosis.probes.label_shift import label_shift
from evalharness.diagnosis.probes.loss_mismatch import loss_mismatch
from evalharness.diagnosis.probes.padding_in_loss import padding_in_loss
from evalharness.diagnosis.subject import Declared, Split
from evalharness.records import Finding, NotTestable, RuledOut


def test_a_healthy_model_is_cleared_of_all_that_can_be_tested():
    found = examine(Measured(healthy("llama")), LOSS_PROBES)
    assert found.findings == ()
    assert [outcome.probe for outcome in found.not_testable] == ["easy_tokens"]
    assert len(found.ruled_out) == len(LOSS_PROBES) - 1


class Tied(nn.Module):
    """What comes out is compared with what goes in: untrained, it gives its own input."""

    def __init__(self):
        super().__init__()
        self.embedding, self.mixed = nn.Embedding(VOCABULARY, 64), nn.Linear(64, 64)

    def forward(self, ids):
        x = self.embedding(ids)
        return (x + 0.1 * self.mixed(x)) @ self.embedding.weight.T


def tied():
    torch.manual_seed(0)
    return Tied().requires_grad_(requires_grad=False)


def untrained(kind):
    torch.manual_seed(0)
    module = {"tied": Tied, "plain": plain, "llama": FAMILIES["llama"], "zero head": plain}[kind]()
    if kind == "zero head":
        nn.init.zeros_(module.head.weight)
    return module.eval().requires_grad_(requires_grad=False)


@pytest.mark.parametrize("kind", ["tied", "plain", "llama", "zero head"])
@pytest.mark.parametrize("with_log", [True, False])
def test_an_untrained_model_has_no_cause(kind, with_log):
    module = untrained(kind)
    log = logged(loss_of(module)) if with_log else {}
    assert examine(Measured(subject(module, end=True, **log)), LOSS_PROBES).causes == ()


def test_a_tied_model_that_gives_its_input_is_accused_only_by_its_log():
    module = tied()
    assert isinstance(label_shift(Measured(subject(module, end=True))), NotTestable)
    assert isinstance(label_shift(Measured(subject(module, end=True, **logged(loss_of(module))))), NotTestable)
    accused = label_shift(Measured(subject(module, end=True, **logged(loss_of(module, shift=0)))))
    assert isinstance(accused, Finding)
    assert accused.evidence["best_offset"] == 0


@pytest.mark.parametrize(("apart", "kind"), [(0.012, Finding), (1.0, NotTestable)])
def test_a_log_that_is_near_one_offset_alone_tells_which_it_was(apart, kind):
    module = tied()
    measured = Measured(subject(module, end=True, **logged(loss_of(module, shift=0) + apart)))
    assert measured.subject.logged is not None
    assert not reproducing(measured.conventions, measured.subject.logged.loss_nats)
    assert isinstance(label_shift(measured), kind)


def test_in_text_that_repeats_itself_the_claim_says_why_equal_losses_are_no_shift(golden_text):
    repeated = [DataRow(char * 10, char * 30) for char in "abcdefgh" * 3]
    split = Split(tuple(repeated), encoded(repeated), "repeated.jsonl")
    cleared = label_shift(Measured(subject(tied(), train=split, validation=split)))
    assert isinstance(cleared, RuledOut)
    assert cleared.evidence["margin_high_nats"] < 0.5
    assert cleared.evidence["offset_0_nats"] == cleared.evidence["offset_1_nats"]
    golden_text(cleared.claim)


def test_a_smoothed_loss_that_nobody_shifts_is_the_logged_one():
    measured = Measured(shifted("plain", 0, 0.1))
    accused = label_shift(measured)
    assert isinstance(accused, Finding)
    assert accused.evidence["best_offset"] == 0
    assert accused.evidence["logged_offset_nats"] == pytest.approx(measured.subject.logged.loss_nats, rel=0.01)
    by_log = next(item for item in measured.conventions if item.convention.words == accused.evidence["logged_by"])
    assert (by_log.convention.shift, by_log.convention.smoothing) == (0, 0.1)


def test_what_to_do_about_another_log_fits_the_code_that_builds_the_model():
    own = subject(trained("plain"), end=True, **logged(9.0))
    found = [loss_mismatch(Measured(replace(own, built_by_library=library))) for library in (False, True)]
    assert [isinstance(outcome, Finding) for outcome in found] == [True, True]
    assert len({outcome.remedy for outcome in found if isinstance(outcome, Finding)}) == 2


def test_a_leak_explains_the_losses_but_its_parallel_loss_still_reproduces_the_log():
    torch.manual_seed(0)
    module = plain(full)
    train(module, encoded(data_rows(200, 1), end=True), steps=60)
    leaky = subject(module, end=True, **logged(loss_of(module)))
    leak = Finding("future_leak", "cause", "It leaks.", {}, "Mask.")
    found = examine(Measured(leaky, [leak]), LOSS_PROBES)
    assert {o.probe for o in found.not_testable} == {probe.name for probe in LOSS_PROBES if probe.skipped_if_leak}
    assert isinstance(loss_mismatch(Measured(leaky)), RuledOut)


@pytest.mark.slow
def test_padding_that_was_learned_shows_without_a_log_and_what_was_not_is_cleared():
    learned = padding_in_loss(Measured(subject(trained("plain", count_padding=True), end=True)))
    assert isinstance(learned, Finding)
    assert learned.severity == "contributing"
    assert isinstance(padding_in_loss(Measured(subject(trained("plain"), end=True))), RuledOut)


@pytest.mark.slow
def test_what_the_manifest_says_of_the_loss_is_checked_and_never_believed():
    module = trained("plain")
    honest, lying = Declared(0.0, True, False), Declared(0.3, True, False)
    log = logged(loss_of(module))
    assert isinstance(loss_mismatch(Measured(subject(module, end=True, declared=honest, **log))), RuledOut)
    found = loss_mismatch(Measured(subject(module, end=True, declared=lying, **log)))
    assert isinstance(found, Finding)
    assert found.severity == "note"
