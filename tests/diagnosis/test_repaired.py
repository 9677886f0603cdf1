"""One thing undone in memory brings the logged loss back; nothing is proven in a sound model."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from plants_adapter import adapted, lora_parts, merge_first
from plants_losses import logged, loss_of, trained
from plants_model import positions_from_the_end
from plants_repairs import (
    another_rope,
    beside_its_average,
    few,
    gates_exchanged,
    neighbours_paired,
    norms_without_their_one,
    other_heads,
    prefix_in_training_alone,
    rank_stabilised,
    redraw_head,
    reorder_ids,
    rope_hidden_by_chance,
    rows_by_head,
    scores_scaled,
    spoiled_after_logging,
    text_losses,
    tied,
)
from small_sound import of, sound
from small_training import subject
from torch import nn
from torch.nn import functional
from whole import log_of

from evalharness.diagnosis.losses.counted_losses import Counting
from evalharness.diagnosis.measured import Measured
from evalharness.diagnosis.probes.repaired import _is_chance, repaired
from evalharness.diagnosis.repair import every_repair
from evalharness.diagnosis.repairs import adapter_scale, rope_layout
from evalharness.diagnosis.subject import Declared
from evalharness.diagnosis.trials.base_gap import another_base, base_gap
from evalharness.diagnosis.trials.opened_masks import OpenedMasks
from evalharness.diagnosis.trials.random_adapter import random_adapter
from evalharness.diagnosis.trials.repair_search import RepairSearch
from evalharness.diagnosis.trials.rotary_tables import rotary_tables, with_base
from evalharness.records import Finding, Interval, LossPoint, RuledOut

MADE = {
    "rope_theta": lambda: spoiled_after_logging(sound("llama"), another_rope),
    "rope_layout": lambda: spoiled_after_logging(sound("llama"), neighbours_paired),
    "attention_scale": lambda: spoiled_after_logging(sound("llama"), scores_scaled),
    "head_count": lambda: spoiled_after_logging(sound("llama"), other_heads),
    "gated_layers": lambda: spoiled_after_logging(sound("llama"), gates_exchanged),
    "norm_offset": lambda: spoiled_after_logging(sound("llama"), norms_without_their_one),
    "fused_rows": lambda: spoiled_after_logging(sound("plain"), rows_by_head),
    "tied_head": lambda: spoiled_after_logging(tied("plain"), redraw_head),
    "adapter_scale": lambda: rank_stabilised("llama"),
    "id_order": lambda: spoiled_after_logging(sound("plain"), reorder_ids),
    "other_weights": lambda: beside_its_average("plain"),
    "prefix_attention": prefix_in_training_alone,
}


@pytest.mark.parametrize("kind", MADE)
def test_what_was_changed_after_training_is_named_and_proven_and_the_model_stays_as_it_was(kind):
    subject = MADE[kind]()
    ids = torch.tensor([subject.validation.encoded[0].ids])
    before = subject.model.logits(ids)
    found = repaired(Measured(subject))
    assert isinstance(found, Finding)
    assert found.evidence["kind"] == kind
    assert found.evidence["proven"]
    assert found.evidence["repaired_nats"] == pytest.approx(subject.logged.loss_nats, rel=0.01)
    assert found.evidence["repairs_tried"] >= 1
    assert torch.equal(subject.model.logits(ids), before)
    if kind == "rope_theta":
        assert found.evidence["settings"]["rope_parameters.rope_theta"] == 10_000
        assert found.evidence["present"]["rope_parameters.rope_theta"] == 1_000_000
        assert found.evidence["file"] == "config.json"


@pytest.mark.parametrize("family", ["plain", "llama"])
def test_a_sound_model_needs_no_repair_and_a_log_of_another_run_gets_none(family):
    subject = few(of(sound(family)))
    subject = replace(subject, **log_of(subject))
    assert isinstance(repaired(Measured(subject)), RuledOut)
    for factor in (0.6, 1.7):
        point = LossPoint(100, "validation", subject.logged.loss_nats * factor, "log")
        found = repaired(Measured(replace(subject, logged=point)))
        assert isinstance(found, RuledOut)
        assert found.evidence["repairs_tried"] > 0


def adapter_that_learned_nothing():
    """A random adapter over the sound base, and the log of an eighth of it, which is nearly the base alone."""
    made = adapted("plain")
    with random_adapter(made.model.module, 0):
        drawn = {n: p.detach().clone() for n, p in made.model.module.named_parameters() if "lora_B" in n}
    for name, parameter in made.model.module.named_parameters():
        if name in drawn:
            parameter.data.copy_(4 * drawn[name])
    made = few(made)
    eighth = next(r for r in adapter_scale.repairs(made) if "0.125" in r.words)
    with eighth.change(made.model.module):
        return made, text_losses(made.model.module)[0]


def test_a_scale_is_not_proven_by_an_adapter_that_does_as_well_drawn_at_random():
    made, logged = adapter_that_learned_nothing()
    point = LossPoint(100, "validation", logged, "log")
    found = repaired(Measured(replace(made, log=(point,), logged=point)))
    assert not (isinstance(found, Finding) and found.evidence["proven"])


def test_an_adapter_over_another_base_stands_beside_a_random_one_of_its_norm():
    def other(module):
        torch.manual_seed(9)
        for part in lora_parts(module):
            part.get_base_layer().weight.data += 0.5 * torch.randn_like(part.get_base_layer().weight)

    made = few(adapted("plain", over=other))
    first = text_losses(sound("plain"))[0]
    log = tuple(LossPoint(step, "validation", first - step / 1e3, "log") for step in (10, 40))
    search = RepairSearch(replace(made, log=log), log[-1].loss_nats, made.validation, Measured(made).passes.losses)
    gap = base_gap(search)
    assert gap.first == log[0]
    found = another_base(search, gap, {})
    assert found.evidence["base_nats"] > found.evidence["first_logged_nats"]
    assert isinstance(found.evidence["random_adapter_lowers_nats"], float)


def merged_with_log(first_above):
    """An adapter over a base that it was merged into, and the log of its training, which began so much higher."""
    logged = text_losses(few(adapted("plain")).model.module)[0]
    made = few(adapted("plain", over=merge_first, original=False))
    log = tuple(LossPoint(step, "validation", logged + more, "log") for step, more in ((10, first_above), (40, 0.0)))
    return replace(made, log=log, logged=log[-1])


def test_an_adapter_that_was_merged_into_its_base_is_in_the_weights_twice():
    found = repaired(Measured(merged_with_log(first_above=0.3)))
    assert isinstance(found, Finding)
    assert (found.severity, found.evidence["kind"]) == ("cause", "adapter_twice")
    assert found.evidence["repaired_nats"] == pytest.approx(found.evidence["logged_nats"], rel=0.01)


def test_a_base_that_gives_a_log_which_never_moved_proves_nothing():
    found = repaired(Measured(merged_with_log(first_above=0.0)))
    assert not (isinstance(found, Finding) and found.evidence["kind"] == "adapter_twice")


@pytest.mark.slow
def test_a_repair_that_goes_part_of_the_way_is_no_finding_if_the_log_is_the_loss_as_loaded():
    made = MADE["rope_theta"]()
    low = replace(made.logged, loss_nats=0.95 * made.logged.loss_nats)
    measured = Measured(replace(made, logged=low, log=(low,)))
    found = repaired(measured)
    assert isinstance(found, Finding)
    assert found.evidence["proven"] is False
    known = next(item for item in measured.conventions if item.exact and item.convention.is_plain)
    nats = Interval(low.loss_nats, low.loss_nats, low.loss_nats)
    giving_the_log = replace(known, loss_nats=nats, exact=(low.loss_nats, low.loss_nats))
    measured.conventions = (*measured.conventions, giving_the_log)
    assert not isinstance(repaired(measured), Finding)


def test_numbers_that_would_give_nearly_any_loss_prove_nothing():
    kinds = {"sharp": True, "number": False}
    made = {name: SimpleNamespace(repair=SimpleNamespace(sharp=sharp)) for name, sharp in kinds.items()}
    assert _is_chance(made["number"], None, 0.9)
    assert not _is_chance(made["number"], None, 0.1)
    assert not _is_chance(made["sharp"], None, 0.9)


def test_a_log_with_the_declared_label_smoothing_needs_no_repair_and_starts_no_search():
    module = trained("plain", steps=220, count_prompt=False, smoothing=0.1)
    smoothed = loss_of(module, count_prompt=False, smoothing=0.1)
    made = few(subject(module, end=True, count_prompt=False, **logged(smoothed)))
    found = repaired(Measured(replace(made, declared=Declared(label_smoothing=0.1))))
    assert isinstance(found, RuledOut)
    assert "repairs_tried" not in found.evidence
    assert found.evidence["as_loaded_low_nats"] <= smoothed <= found.evidence["as_loaded_high_nats"]
    assert repaired(Measured(made)).evidence["repairs_tried"] > 0


def test_a_model_that_is_too_sure_and_has_not_the_logged_loss_by_another_scale_either_gets_no_part_of_a_cause():
    sure = few(of(sound("plain")))
    wanted = text_losses(sound("plain"))[0] * 0.6
    for tensor in sure.torch_model.module.head.parameters():
        tensor.data *= 4.0
    point = LossPoint(100, "validation", wanted, "log")
    found = repaired(Measured(replace(sure, log=(point,), logged=point)))
    assert isinstance(found, RuledOut)
    assert found.evidence["kinds"]["logit_scale"] == 1


def test_a_log_that_fits_as_loaded_by_chance_under_another_count_than_that_of_the_data_hides_no_repair():
    found = repaired(Measured(rope_hidden_by_chance()))
    assert isinstance(found, Finding)
    assert found.evidence["kind"] == "rope_theta"
    assert found.evidence["settings"]["rope_parameters.rope_theta"] == 10_000
    completions = {Counting(prompt=False, end=end).words for end in (True, False)}
    assert found.evidence["fits_as_loaded_by"] in completions
    assert found.evidence["random_lowers_nats"] < found.evidence["lowered_low_nats"]


def test_a_repair_that_hardly_lowers_the_loss_is_not_hidden_behind_another_count():
    subject = positions_from_the_end()
    assert isinstance(repaired(Measured(replace(subject, **log_of(subject)))), RuledOut)


def test_a_sound_model_whose_loss_counts_completions_alone_gets_no_repair():
    subject = few(of(sound("llama")))
    _, completions = text_losses(sound("llama"))
    point = LossPoint(100, "validation", completions, "log")
    found = repaired(Measured(replace(subject, log=(point,), logged=point)))
    assert isinstance(found, RuledOut)


@pytest.mark.parametrize("turned", [8, 16])
def test_rotary_pairs_are_moved_head_by_head_and_moved_back(turned):
    module = nn.ModuleDict({"q_proj": nn.Linear(4, 32, bias=False), "k_proj": nn.Linear(4, 16, bias=False)})
    module.head_dim = 16
    module.register_buffer("inv_freq", 1e4 ** (-torch.arange(turned // 2) / (turned // 2)))
    given = torch.randn(3, 4)
    plain = module["q_proj"](given)
    halves, side_by_side = rope_layout.repairs(SimpleNamespace(torch_model=SimpleNamespace(module=module)))
    with halves.change(module):
        moved = module["q_proj"](given).view(3, 2, 16)
        assert torch.equal(moved[:, :, turned // 2], plain.view(3, 2, 16)[:, :, 1])
        assert torch.equal(moved[:, :, turned:], plain.view(3, 2, 16)[:, :, turned:])
        with side_by_side.change(module):
            assert torch.equal(module["q_proj"](given), plain)
    assert torch.equal(module["q_proj"](given), plain)


def test_a_repair_that_can_not_be_made_does_not_stop_the_others(monkeypatch):
    subject = MADE["rope_theta"]()
    broken = replace(next(iter(every_repair(subject))), kind="broken", change=lambda _module: 1 / 0)
    monkeypatch.setattr(
        "evalharness.diagnosis.trials.repair_search.every_repair", lambda of: [broken, *every_repair(of)]
    )
    found = repaired(Measured(subject))
    assert found.evidence["proven"]
    assert len(found.evidence["not_made"]) == 1


def table(shape: str, base: float, columns: int = 16, positions: int = 64) -> torch.Tensor:
    """The tables that programs keep, written as they write them."""
    frequencies = base ** (-torch.arange(0, columns, 2).double() / columns)
    angles = torch.outer(torch.arange(positions).double(), frequencies)
    return {
        "frequencies": frequencies,
        "cosines": angles.cos(),
        "sines twice": torch.cat([angles, angles], dim=-1).sin(),
        "cosines side by side": angles.repeat_interleave(2, dim=-1).cos()[None, :, None],
        "complex": torch.polar(torch.ones_like(angles), angles).to(torch.complex64),
    }[shape].to(torch.complex64 if shape == "complex" else torch.float32)


@pytest.mark.parametrize("shape", ["frequencies", "cosines", "sines twice", "cosines side by side", "complex"])
@pytest.mark.parametrize("base", [1e4, 5e5])
def test_a_rotary_table_is_known_by_its_numbers_and_made_for_another_base(shape, base):
    module = nn.Module()
    module.register_buffer("held", table(shape, base), persistent=False)
    (found,) = rotary_tables(module)
    assert found.base == pytest.approx(base, rel=0.01)
    assert torch.allclose(with_base(found, 1e6), table(shape, 1e6), atol=1e-5)


def test_other_numbers_are_no_rotary_table():
    module = nn.Module()
    module.register_buffer("held", torch.linspace(1, 0, 16))
    module.register_buffer("mask", torch.ones(16, 16).tril())
    assert rotary_tables(module) == []


@pytest.mark.parametrize("kind", ["sdpa", "causal flag", "filled in", "where", "added"])
def test_the_prompt_sees_itself_under_every_way_to_mask_and_nothing_else_changes(kind):
    torch.manual_seed(0)
    q, k, v = torch.randn(3, 1, 2, 6, 4).unbind()
    seen = torch.ones(6, 6, dtype=torch.bool).tril()
    scores = q @ k.transpose(-2, -1) / 2.0

    def mixed():
        if kind == "sdpa":
            return functional.scaled_dot_product_attention(q, k, v, attn_mask=seen)
        if kind == "causal flag":
            return functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        masked = {
            "filled in": lambda: scores.masked_fill(~seen, -torch.inf),
            "where": lambda: torch.where(seen, scores, -1e9),
            "added": lambda: scores + torch.zeros(6, 6).masked_fill(~seen, torch.finfo(torch.float32).min),
        }[kind]()
        return masked.softmax(dim=-1) @ v

    opened = seen.clone()
    opened[:3, :3] = True
    expected = functional.scaled_dot_product_attention(q, k, v, attn_mask=opened)
    with OpenedMasks(3):
        assert torch.allclose(mixed(), expected, atol=1e-6)
    assert torch.allclose(mixed(), functional.scaled_dot_product_attention(q, k, v, attn_mask=seen), atol=1e-6)


def test_what_is_no_causal_mask_is_left_alone():
    scores = torch.randn(1, 1, 4, 4)
    with OpenedMasks(2):
        assert torch.equal(scores + scores, 2 * scores)
        assert torch.equal(
            scores.masked_fill(torch.eye(4, dtype=torch.bool), 0.0).diagonal(dim1=-2, dim2=-1), torch.zeros(1, 1, 4)
        )
