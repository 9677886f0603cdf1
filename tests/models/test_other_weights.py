"""What else lies in a file or beside an adapter is found, and read only when it is asked for."""

from __future__ import annotations

import peft
import pytest
import torch
from safetensors.torch import save_file

from evalharness.diagnosis.repairs.weights_elsewhere import repairs
from evalharness.diagnosis.subject import Subject

IDS = torch.tensor([[3, 4, 5, 6]])


def raised(state: dict, by: float) -> dict:
    return {name: tensor + by for name, tensor in state.items()}


def saved(state: dict, form: str) -> object:
    """Averaged weights as training loops keep them beside the raw ones."""
    return {
        "mapping": {"model_ema": state},
        "wrapped": {"ema": {"decay": 0.999, "module": {f"module.{name}": tensor for name, tensor in state.items()}}},
        "by order": {"ema": {"decay": 0.999, "shadow_params": list(state.values())}},
    }[form]


@pytest.mark.parametrize("form", ["mapping", "wrapped", "by order"])
def test_averaged_weights_in_the_same_file_are_a_repair(project, make_module, form):
    module = make_module()
    parameters = {name: tensor.detach() for name, tensor in module.named_parameters()}
    averaged = raised(parameters, 0.01)
    content = {"model": module.state_dict(), "optimizer": {"state": {0: {"exp_avg": IDS}}}, **saved(averaged, form)}
    torch.save(content, project.folder / "step_100.pt")
    checkpoint = project.load("step_100.pt")
    before = checkpoint.model.logits(IDS)
    subject = Subject(checkpoint.model, checkpoint.tokenizer, other_weights=checkpoint.other_weights)
    logits = []
    for repair in repairs(subject):
        try:
            with repair.change(checkpoint.module):
                logits.append(checkpoint.model.logits(IDS))
        except LookupError:
            continue
    module.load_state_dict(averaged, strict=False)
    with torch.no_grad():
        assert any(torch.allclose(found, module(IDS), atol=1e-6) for found in logits)
    assert torch.equal(checkpoint.model.logits(IDS), before)


def test_a_base_with_another_adapter_merged_into_it_is_one_of_the_bases(project, save_adapter):
    save_adapter("sft")
    save_adapter("dpo")
    checkpoint = project.load("dpo")
    found = [weights for weights in checkpoint.other_weights if weights.is_added]
    assert [weights.is_base for weights in found] == [True]
    assert all(tensor.any() for tensor in found[0].read().values())


def test_weights_beside_an_adapter_that_is_not_in_them_have_a_repair(project, save_adapter):
    save_adapter("tuned")
    expected = project.load("tuned").model.logits(IDS)
    checkpoint = project.load("base.safetensors")
    before = checkpoint.model.logits(IDS)
    subject = Subject(checkpoint.model, checkpoint.tokenizer, other_weights=checkpoint.other_weights)
    (repair,) = (found for found in repairs(subject) if found.place.endswith("tuned"))
    with repair.change(checkpoint.module):
        assert torch.allclose(checkpoint.model.logits(IDS), expected, rtol=1e-3)
    assert not torch.allclose(before, expected, atol=1e-3)
    assert torch.equal(checkpoint.model.logits(IDS), before)


def of_its_base(module) -> dict:
    return {name: tensor for name, tensor in module.state_dict().items() if name != "head.weight"}


def test_under_an_adapter_that_saved_a_module_whole_another_base_is_a_repair_and_that_module_stays(
    project, make_module
):
    trained_over = make_module()
    trained_over.load_state_dict(raised(trained_over.state_dict(), 0.02))
    (project.folder / "merged").mkdir()
    save_file(of_its_base(make_module()), project.folder / "base.safetensors")
    save_file(of_its_base(trained_over), project.folder / "merged" / "model.safetensors")
    adapted = peft.get_peft_model(
        trained_over, peft.LoraConfig(r=2, target_modules=["qkv"], modules_to_save=["pos"], init_lora_weights=False)
    )
    with torch.no_grad():
        adapted.base_model.model.pos.modules_to_save["default"].weight.add_(1.0)
        expected = adapted.eval()(IDS)
    adapted.save_pretrained(str(project.folder / "lora_step5"), save_embedding_layers=False)
    checkpoint = project.load("lora_step5")
    before = checkpoint.model.logits(IDS)
    subject = Subject(
        checkpoint.model,
        checkpoint.tokenizer,
        other_weights=checkpoint.other_weights,
        without_adapter=checkpoint.without_adapter,
    )
    (repair,) = (found for found in repairs(subject) if found.kind == "adapter_base")
    with repair.change(checkpoint.module):
        assert torch.allclose(checkpoint.model.logits(IDS), expected, atol=1e-6)
    assert not torch.allclose(before, expected, atol=1e-3)
    assert torch.equal(checkpoint.model.logits(IDS), before)
