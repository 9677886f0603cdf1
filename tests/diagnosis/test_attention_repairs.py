"""Scales, heads and fused rows of attentions: each change gives what the right code gives, and is undone."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import pytest
import torch
from plants_repairs import other_heads, rows_by_head, scores_scaled, spoiled_after_logging
from small_sound import of, sound
from torch import nn
from torch.nn import functional

from evalharness.diagnosis.measured import Measured
from evalharness.diagnosis.probes.repaired import repaired
from evalharness.diagnosis.repairs import attention_scale, fused_rows, head_count, norm_epsilon, softcapping
from evalharness.diagnosis.trials.attention_scales import ScaledScores
from evalharness.diagnosis.trials.head_shapes import head_shapes
from evalharness.records import Finding


def tried(kind, module):
    """The repairs of one kind for a module."""
    return list(kind.repairs(of(module)))


def logits(module, ids):
    output = module(ids)
    return output if isinstance(output, torch.Tensor) else output.logits


@pytest.mark.parametrize("family", ["plain", "llama"])
@pytest.mark.parametrize(
    ("kind", "spoil"), [(attention_scale, scores_scaled), (head_count, other_heads), (fused_rows, rows_by_head)]
)
def test_one_of_the_repairs_gives_what_was_trained_and_all_are_undone(family, kind, spoil):
    if kind is fused_rows and family == "llama":
        assert not tried(kind, sound(family))
        return
    ids = torch.arange(40).view(2, 20)
    trained = logits(sound(family), ids)
    module = sound(family)
    spoil(module)
    spoiled = logits(module, ids)
    assert not torch.allclose(spoiled, trained, atol=1e-3)
    equal = []
    for repair in tried(kind, module):
        with repair.change(module):
            equal.append(torch.allclose(logits(module, ids), trained, atol=1e-4))
        assert torch.equal(logits(module, ids), spoiled)
    assert sum(equal) == 1


def test_the_keys_of_the_configuration_that_say_the_number_of_heads_are_named():
    module = sound("llama")
    other_heads(module)
    settings = [repair.settings for repair in tried(head_count, module)]
    assert {"num_attention_heads": 4, "num_key_value_heads": 4, "head_dim": 16} in settings


@dataclass(frozen=True)
class Sizes:
    n_heads: int = 4
    n_kv_heads: int = 2


class Grouped(nn.Module):
    """Queries in four heads, keys and values in two, under a configuration that nobody may change."""

    def __init__(self):
        super().__init__()
        self.cfg = Sizes()
        self.qkv_proj = nn.Linear(32, 64)

    def forward(self, given):
        heads, groups = self.cfg.n_heads, self.cfg.n_kv_heads
        return self.qkv_proj(given).split([32, 32 * groups // heads, 32 * groups // heads], -1)


def subject_of(module):
    return SimpleNamespace(torch_model=SimpleNamespace(module=module))


def test_fused_rows_in_groups_of_heads_are_taken_apart_and_put_together_again():
    module, given = Grouped(), torch.randn(3, 32)
    plain = module.qkv_proj(given)
    apart, together = list(fused_rows.repairs(subject_of(module)))[:2]
    with apart.change(module):
        moved = module.qkv_proj(given)
        groups = plain.view(3, 2, 4, 8)
        assert torch.equal(moved[:, :32], groups[:, :, :2].reshape(3, 32))
        assert torch.equal(moved[:, 32:48], groups[:, :, 2].reshape(3, 16))
        assert torch.equal(moved[:, 48:], groups[:, :, 3].reshape(3, 16))
        with together.change(module):
            assert torch.equal(module.qkv_proj(given), plain)
    assert torch.equal(module.qkv_proj(given), plain)


def test_heads_in_a_frozen_configuration_are_changed_for_a_while_and_keys_keep_their_share():
    module = Grouped()
    seen = set()
    for repair in head_count.repairs(subject_of(module)):
        with repair.change(module):
            seen.add((module.cfg.n_heads, module.cfg.n_kv_heads))
    assert seen == {(2, 1), (8, 4)}
    assert module.cfg == Sizes()


def test_a_number_in_the_code_and_another_in_the_configuration_are_two_shapes():
    module = Grouped()
    module.cfg = SimpleNamespace(n_head=8)
    module.attention = nn.Linear(32, 32)
    module.attention.n_head = 4
    assert {shape.heads: list(shape.counts) for shape in head_shapes(module)} == {
        8: ["cfg.n_head"],
        4: ["attention.n_head"],
    }


@pytest.mark.parametrize("written", ["sdpa", "softmax"])
def test_scores_are_scaled_however_an_attention_is_written(written):
    torch.manual_seed(0)
    q, k, v = torch.randn(3, 1, 2, 6, 4).unbind()

    def mixed(scale):
        if written == "sdpa":
            return functional.scaled_dot_product_attention(q, k, v, is_causal=True, scale=scale)
        seen = torch.ones(6, 6, dtype=torch.bool).tril()
        return (q @ k.mT * scale).masked_fill(~seen, -torch.inf).softmax(dim=-1) @ v

    with ScaledScores(4.0) as scores:
        larger = mixed(0.25)
    assert torch.allclose(larger, mixed(1.0), atol=1e-6)
    assert scores.widths == ({4} if written == "sdpa" else {None})


def test_a_softmax_that_is_no_attention_is_left_alone():
    router = torch.randn(6, 4)
    with ScaledScores(4.0) as scores:
        assert torch.equal(router.softmax(-1), torch.softmax(router, -1))
    assert not scores.widths


def test_other_caps_and_epsilons_are_tried_where_a_module_has_them():
    module = nn.Sequential(nn.LayerNorm(4, eps=1e-5))
    module.config = SimpleNamespace(final_logit_softcapping=None, layer_norm_eps=1e-5)
    caps = list(softcapping.repairs(subject_of(module)))
    assert [repair.settings["final_logit_softcapping"] for repair in caps] == [15.0, 20.0, 30.0, 50.0]
    epsilons = [repair.settings["layer_norm_eps"] for repair in norm_epsilon.repairs(subject_of(module))]
    assert epsilons == [1e-12, 1e-8, 1e-6, 1e-3]
    assert not list(softcapping.repairs(subject_of(nn.Linear(2, 2))))


def test_scores_of_ones_own_code_that_lost_their_scale_are_proven():
    found = repaired(Measured(spoiled_after_logging(sound("plain"), scores_scaled)))
    assert isinstance(found, Finding)
    assert found.evidence["kind"] == "attention_scale"
    assert found.evidence["proven"]
    assert found.evidence["kinds"]["attention_scale"] > 1
