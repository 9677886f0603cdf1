"""A loaded adapter, switched off and looked into."""

from __future__ import annotations

import peft
import pytest
import torch

from evalharness.models.torch.adapted import adapter_facts, configured_scale, without_adapter

IDS = torch.tensor([[3, 4, 5, 6]])


def test_a_loaded_adapter_can_be_switched_off_for_a_call(project, make_module, save_adapter):
    save_adapter("lora_step200")
    model = project.load("lora_step200").model
    with_adapter = model.logits(IDS)
    without = without_adapter(model)
    assert torch.equal(without.logits(IDS), make_module().eval()(IDS).detach())
    assert torch.equal(model.logits(IDS), with_adapter)
    assert not any(parameter.requires_grad for parameter in model.module.parameters())


def test_a_module_without_an_adapter_has_nothing_to_switch_off(project, make_module, state):
    torch.save(state, project.folder / "plain.pt")
    assert without_adapter(project.load("plain.pt").model) is None


def test_it_is_switched_on_again_where_the_forward_fails(project, save_adapter):
    save_adapter("lora_step200")
    model = project.load("lora_step200").model
    before = model.logits(IDS)
    with pytest.raises(Exception, match="forward"):
        without_adapter(model).logits(torch.tensor([[1000]]))
    assert torch.equal(model.logits(IDS), before)


def test_a_merged_layer_is_merged_again(project, make_module, save_adapter):
    save_adapter("lora_step200")
    model = project.load("lora_step200").model
    with_adapter = model.logits(IDS)
    parts = [part for part in model.module.modules() if isinstance(part, peft.tuners.lora.LoraLayer)]
    for part in parts:
        part.merge()
    assert torch.allclose(without_adapter(model).logits(IDS), make_module().eval()(IDS).detach(), rtol=1e-3, atol=1e-2)
    assert all(part.merged for part in parts)
    assert torch.allclose(model.logits(IDS), with_adapter, rtol=1e-3, atol=1e-2)


def test_facts_of_a_loaded_adapter_name_weights_scales_and_changes(project, make_module, save_adapter):
    folder = save_adapter("lora_step200")
    module = project.load("lora_step200").module
    original = make_module().state_dict()
    facts = adapter_facts(module, peft.PeftConfig.from_pretrained(str(folder)), step=200, original=original)
    assert [weight.name for weight in facts.weights] == [
        f"layers.{i}.{part}" for i in (0, 1) for part in ("qkv", "out_proj")
    ]
    for weight in facts.weights:
        assert weight.scale == weight.configured_scale == 8 / 2
        assert torch.allclose(weight.effective() - weight.original(), weight.change(), atol=1e-5)


@pytest.mark.parametrize(
    ("settings", "name", "scale"),
    [
        ({"r": 4, "lora_alpha": 16}, "layers.0.qkv", 4.0),
        ({"r": 4, "lora_alpha": 16, "use_rslora": True}, "layers.0.qkv", 8.0),
        ({"r": 4, "lora_alpha": 16, "rank_pattern": {"layers.0.qkv": 8}}, "layers.0.qkv", 2.0),
        ({"r": 4, "lora_alpha": 16, "alpha_pattern": {"qkv": 4}}, "layers.0.qkv", 1.0),
        ({"r": 4, "lora_alpha": 16, "alpha_pattern": {"qkv": 4}}, "layers.0.out_proj", 4.0),
    ],
)
def test_the_scale_of_a_configuration(settings, name, scale):
    assert configured_scale(peft.LoraConfig(**settings), name) == scale


def test_an_adapter_of_another_kind_has_no_such_scale():
    assert configured_scale(peft.IA3Config(), "layers.0.qkv") is None


def test_a_loaded_checkpoint_brings_both_along_where_it_is_an_adapter(project, save_adapter, state):
    save_adapter("lora_step200")
    checkpoint = project.load("lora_step200")
    assert not torch.allclose(checkpoint.without_adapter.logits(IDS), checkpoint.model.logits(IDS))
    assert checkpoint.adapter.step == 200
    assert len(checkpoint.adapter.weights) == 4
    torch.save(state, project.folder / "plain.pt")
    assert project.load("plain.pt").without_adapter is None
    assert project.load("plain.pt").adapter is None
