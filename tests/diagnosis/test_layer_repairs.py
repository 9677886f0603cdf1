"""Norms, gated layers and the share of heads that positions turn: one change gives what was trained, all are undone."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.nn import functional
from transformers import (
    GlmConfig,
    GlmForCausalLM,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    PhiConfig,
    PhiForCausalLM,
)

from evalharness.diagnosis.repairs import gated_layers, norm_offset, rope

IDS = torch.arange(20).unsqueeze(0)
SIZES = {"vocab_size": 64, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "head_dim": 16}
HEADS = {"num_attention_heads": 4, "num_key_value_heads": 4, "pad_token_id": 0}


def made(config, model, share=None):
    """A small model, drawn at random, that turns this share of each head."""
    settings = config(**SIZES, **HEADS, initializer_range=0.3)
    if share is not None:
        settings.rope_parameters = {**settings.rope_parameters, "partial_rotary_factor": share}
    torch.manual_seed(0)
    return model(settings).eval().requires_grad_(requires_grad=False)


def logits(module):
    output = module(IDS)
    return output if isinstance(output, torch.Tensor) else output.logits


def giving(wanted, kind, module, subject=None):
    """What of the repairs gives the logits; each is undone, and what has no place is left out."""
    before, right = logits(module), []
    for repair in kind.repairs(subject or SimpleNamespace(torch_model=SimpleNamespace(module=module))):
        try:
            with repair.change(module):
                if torch.allclose(logits(module), wanted, atol=1e-5):
                    right.append(repair)
        except LookupError:
            continue
        assert torch.equal(logits(module), before)
    return right


@pytest.mark.parametrize(
    ("config", "model"), [(GPTNeoXConfig, GPTNeoXForCausalLM), (GlmConfig, GlmForCausalLM), (PhiConfig, PhiForCausalLM)]
)
def test_the_share_of_each_head_that_positions_turn_is_found(config, model):
    trained, lost = made(config, model, share=0.5), made(config, model, share=1.0)
    lost.load_state_dict(trained.state_dict())
    assert not torch.allclose(logits(lost), logits(trained), atol=1e-5)
    (repair,) = giving(logits(trained), rope, lost)
    assert repair.settings == {"rope_parameters.partial_rotary_factor": 0.5}


def test_a_model_whose_code_reads_no_share_gets_none():
    module = made(LlamaConfig, LlamaForCausalLM)
    module.model.rotary_emb.inv_freq *= 0.5
    assert not [repair for repair in giving(logits(module), rope, module) if repair.kind == "rope_share"]


class FusedGate(nn.Module):
    """One projection to gate and value, as many projects have it."""

    def __init__(self, exchanged):
        super().__init__()
        torch.manual_seed(0)
        self.embedding, self.exchanged = nn.Embedding(64, 16), exchanged
        self.w12, self.w3 = nn.Linear(16, 64), nn.Linear(32, 16)

    def forward(self, ids):
        gate, value = self.w12(self.embedding(ids)).chunk(2, dim=-1)
        gate, value = (value, gate) if self.exchanged else (gate, value)
        return self.w3(functional.silu(gate) * value)


def test_the_halves_of_a_fused_gate_are_exchanged():
    trained, exchanged = FusedGate(exchanged=False), FusedGate(exchanged=True)
    (repair,) = giving(logits(trained), gated_layers, exchanged)
    assert repair.place == "w12"


def test_gate_and_value_are_exchanged_in_every_layer():
    trained, exchanged = (made(LlamaConfig, LlamaForCausalLM) for _ in range(2))
    for layer in exchanged.model.layers:
        layer.mlp.gate_proj, layer.mlp.up_proj = layer.mlp.up_proj, layer.mlp.gate_proj
    (repair,) = giving(logits(trained), gated_layers, exchanged)
    assert repair.place == "model.layers.0.mlp.gate_proj"


@pytest.mark.parametrize("offset", [1.0, -1.0])
def test_a_one_that_is_missing_in_norms_or_added_twice_is_found(offset):
    trained, spoiled = (made(LlamaConfig, LlamaForCausalLM) for _ in range(2))
    for name, tensor in spoiled.named_parameters():
        if "norm" in name:
            tensor.data += offset
    (repair,) = giving(logits(trained), norm_offset, spoiled)
    assert repair.place == "model.layers.0.input_layernorm.weight"


def test_a_model_without_norms_and_gates_has_no_such_repair():
    module = nn.Sequential(nn.Embedding(64, 16), nn.Linear(16, 16), nn.Linear(16, 64))
    assert not giving(logits(module), gated_layers, module)
    assert not giving(logits(module), norm_offset, module)
