"""A state dict under any key, and names with any wrapper's prefix."""

from __future__ import annotations

import pytest
import torch

from evalharness.errors import CheckpointError

IDS = torch.tensor([[3, 4, 5, 6]])


def logits_of(module):
    with torch.no_grad():
        return module(IDS)


def under(prefix, state):
    return {prefix + name: tensor for name, tensor in state.items()}


@pytest.mark.parametrize(
    "saved",
    [
        lambda state, _: {"net": state},
        lambda state, optimizer: {"weights": {"generator": state}, "optimizer": optimizer, "epoch": 3},
        lambda state, optimizer: (state, optimizer),
        lambda state, _: {**state, "step": 12, "lr": 0.1},
        lambda state, optimizer: {"model": {"depth": 2}, "params": state, "optim": optimizer},
        lambda state, _: {"model": {"head.weight": torch.zeros(3, 3)}, "net": state},
    ],
)
def test_a_state_dict_is_found_under_any_key(project, make_module, saved):
    module = make_module()
    optimizer = torch.optim.AdamW(module.parameters())
    module(IDS).sum().backward()
    optimizer.step()
    torch.save(saved(module.state_dict(), optimizer.state_dict()), project.folder / "m.pt")
    assert torch.equal(project.load("m.pt").model.logits(IDS), logits_of(module))


def test_of_several_that_fit_the_manifest_names_one(project, make_module):
    modules = {"net": make_module(seed=1), "slow": make_module(seed=2)}
    torch.save({key: module.state_dict() for key, module in modules.items()}, project.folder / "m.pt")
    with pytest.raises(CheckpointError, match=r"\"net\"") as caught:
        project.load("m.pt")
    assert "'slow'" in str(caught.value)
    loaded = {}
    for key, module in modules.items():
        project.manifest(f'factory = "models.py:build"\nstate_dict = "{key}"')
        loaded[key] = project.load("m.pt")
        assert torch.equal(loaded[key].model.logits(IDS), logits_of(module))
    assert loaded["net"].info.fingerprint != loaded["slow"].info.fingerprint


def test_the_usual_key_is_taken_and_the_other_that_fits_is_told(project, make_module):
    module, average = make_module(seed=1), make_module(seed=2)
    torch.save({"ema": average.state_dict(), "model": module.state_dict()}, project.folder / "m.pt")
    checkpoint = project.load("m.pt")
    assert torch.equal(checkpoint.model.logits(IDS), logits_of(module))
    assert any("'ema'" in note for note in checkpoint.info.notes)


def test_a_key_that_is_not_there_is_told_with_the_nearest(project, make_module):
    torch.save({"net": make_module().state_dict()}, project.folder / "m.pt")
    project.manifest('factory = "models.py:build"\nstate_dict = "nett"')
    with pytest.raises(CheckpointError, match=r"\(nearest:\snet\)"):
        project.load("m.pt")


@pytest.mark.parametrize("prefix", ["model.", "net.", "transformer.", "base.model.", "model._orig_mod."])
def test_a_prefix_of_any_wrapper_is_taken_off_and_said(project, make_module, prefix):
    module = make_module()
    extra = {"metric.total": torch.zeros(1)}
    torch.save({"state_dict": {**under(prefix, module.state_dict()), **extra}}, project.folder / "m.pt")
    checkpoint = project.load("m.pt")
    assert torch.equal(checkpoint.model.logits(IDS), logits_of(module))
    assert any("prefix" in note and "metric.total" in note for note in checkpoint.info.notes)


def test_a_prefix_that_only_the_module_has_is_added(project, make_module):
    project.write(
        "wrapped.py",
        "from torch import nn\nfrom models import TinyGPT\n\n\n"
        "class Wrapped(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.inner = TinyGPT()\n\n"
        "    def forward(self, ids):\n        return self.inner(ids)\n",
    )
    project.manifest('factory = "wrapped.py:Wrapped"')
    module = make_module()
    torch.save(under("net.", module.state_dict()), project.folder / "m.pt")
    assert torch.equal(project.load("m.pt").model.logits(IDS), logits_of(module))


def test_a_matrix_outside_the_prefix_is_not_left_out(project, make_module):
    saved = {**under("model.", make_module().state_dict()), "critic.weight": torch.zeros(4, 4)}
    torch.save(saved, project.folder / "m.pt")
    with pytest.raises(CheckpointError, match=r"critic\.weight"):
        project.load("m.pt")
