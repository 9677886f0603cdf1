"""What other tools leave in a folder, and files with more or less in them than one state dict."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch.distributed import checkpoint as distributed

from evalharness.errors import CheckpointError, UntrustedError

IDS = torch.tensor([[3, 4, 5, 6]])


def logits_of(module):
    with torch.no_grad():
        return module(IDS)


def saved(folder, name, value):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(value, path)
    return path


def zero_2(folder, state):
    saved(folder, "global_step100/mp_rank_00_model_states.pt", {"module": state, "ds_version": "0.14"})
    for rank in range(2):
        saved(folder, f"global_step100/bf16_zero_pp_rank_{rank}_mp_rank_00_optim_states.pt", {"zero_stage": 2})


def zero_3(folder, state):
    saved(folder, "global_step100/zero_pp_rank_0_mp_rank_00_model_states.pt", {"module": dict.fromkeys(state, ())})
    (folder / "zero_to_fp32.py").write_text("")


def sharded(folder, state):
    (folder / "step").mkdir()
    (folder / "step" / "__0_0.distcp").write_bytes(b"")


def megatron(folder, state):
    (folder / "latest_checkpointed_iteration.txt").write_text("100")


def optimizer_alone(folder, state):
    saved(folder, "optimizer.pt", {"state": {}})
    saved(folder, "scheduler.pt", {})


@pytest.mark.parametrize("write", [zero_3, sharded, megatron, optimizer_alone])
def test_a_folder_without_weights_says_what_it_is_and_what_to_do(project, make_module, tmp_path, write, golden_text):
    folder = tmp_path / "run"
    folder.mkdir()
    write(folder, make_module().state_dict())
    with pytest.raises(CheckpointError) as refused:
        project.load(folder)
    golden_text(refused)


def test_weights_that_deepspeed_left_whole_are_read_from_its_folder(project, make_module, tmp_path):
    module = make_module()
    zero_2(project.folder / "run", module.state_dict())
    loaded = project.load("run")
    assert torch.equal(loaded.model.logits(IDS), logits_of(module))
    assert loaded.info.step == 100


@pytest.mark.filterwarnings("ignore:torch.distributed is disabled")
@pytest.mark.slow
def test_the_command_that_gathers_a_distributed_checkpoint_does_so(project, make_module):
    module = make_module()
    distributed.save({"model": module.state_dict()}, checkpoint_id=project.folder / "step")
    gather = [sys.executable, "-m", "torch.distributed.checkpoint.format_utils", "dcp_to_torch"]
    subprocess.run([*gather, "step", "step.pt"], cwd=project.folder, check=True, capture_output=True)
    assert torch.equal(project.load("step.pt").model.logits(IDS), logits_of(module))


def test_an_archive_of_torch_is_found_by_its_old_name(project, make_module):
    module = make_module()
    folder = project.folder / "best"
    saved(folder, "model_best.pth.tar", {"epoch": 3, "state": {"net": module.state_dict()}})
    assert torch.equal(project.load("best").model.logits(IDS), logits_of(module))


def test_averaged_weights_that_differ_by_the_first_part_of_their_names_are_named(project, make_module):
    modules = {"online_model": make_module(seed=1), "ema_model": make_module(seed=2)}
    state = {f"{key}.{name}": value for key, module in modules.items() for name, value in module.state_dict().items()}
    saved(project.folder, "m.pt", {**state, "initted": torch.tensor(True), "step": torch.tensor(5)})
    with pytest.raises(CheckpointError) as asked:
        project.load("m.pt")
    assert "'ema_model'" in str(asked.value)
    project.manifest('factory = "models.py:build"\nstate_dict = "ema_model"')
    assert torch.equal(project.load("m.pt").model.logits(IDS), logits_of(modules["ema_model"]))


WHOLE = """
import torch
import theirs

torch.manual_seed(0)
module = theirs.Net()
torch.save(module, "whole.pth")
torch.save(module(torch.tensor([[3, 4, 5, 6]])).detach(), "logits.pt")
"""
CODE = """
from torch import nn


class Net(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Embedding(48, 8), nn.Linear(8, 48))
"""


@pytest.fixture
def whole(project):
    """A module that was pickled whole by a script beside its code, and its logits."""
    project.write("theirs.py", CODE)
    subprocess.run([sys.executable, "-c", WHOLE], cwd=project.folder, check=True)
    project.manifest('factory = "theirs.py:Net"')
    return torch.load(project.folder / "logits.pt")


def test_a_module_that_was_pickled_whole_is_read_with_trust(project, whole):
    with pytest.raises(UntrustedError):
        project.load("whole.pth")
    assert torch.allclose(project.load("whole.pth", trust=True).model.logits(IDS), whole, atol=1e-6)


def test_the_classes_of_a_pickled_module_are_found_beside_it_and_forgotten(project, whole):
    from evalharness.models.torch.weights import read_weights

    assert read_weights(project.folder / "whole.pth", trust=True).state["1.bias"].shape == (48,)
    assert "theirs" not in sys.modules
    (project.folder / "theirs.py").unlink()
    with pytest.raises(CheckpointError) as lost:
        read_weights(project.folder / "whole.pth", trust=True)
    assert "theirs" in str(lost.value)


def test_a_class_of_the_script_that_saved_a_module_asks_for_its_state_dict(project, golden_text):
    script = CODE + "\nimport torch\ntorch.save(Net(), 'whole.pth')\n"
    subprocess.run([sys.executable, "-c", script], cwd=project.folder, check=True)
    with pytest.raises(CheckpointError) as lost:
        project.load("whole.pth", trust=True)
    golden_text(lost, {r"<module .*>(?=\): save)": "<the script>"})
