"""What else lies in a file or beside an adapter is found, and read only when it is asked for."""

from __future__ import annotations

import pytest
import torch

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
