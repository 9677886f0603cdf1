"""Everything that could change a result changes the fingerprint, and nothing else does."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest
import torch


@pytest.fixture
def weights(project, state):
    torch.save(state, project.folder / "m.pt")
    return project


def fingerprint(project, **settings):
    return project.load("m.pt", **settings).info.fingerprint


def replace(project, name, old, new):
    text = (project.folder / name).read_text()
    assert old in text
    project.write(name, text.replace(old, new))


def test_the_same_checkpoint_has_the_same_fingerprint_in_another_place(weights, tmp_path):
    before = fingerprint(weights)
    assert fingerprint(weights) == before
    shutil.copytree(weights.folder, tmp_path / "copy")
    assert fingerprint(type(weights)(tmp_path / "copy")) == before


def test_another_process_gives_the_same_fingerprint(weights):
    program = (
        "import pathlib, sys; from evalharness.models.torch import load_checkpoint;"
        "from evalharness.settings.manifest import find_manifest; p = pathlib.Path('m.pt');"
        "print(load_checkpoint(p, find_manifest(p)).info.fingerprint)"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=weights.folder, capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == fingerprint(weights)


def test_a_mask_added_in_a_sibling_module_makes_everything_new(weights):
    replace(weights, "layers.py", "CAUSAL = True", "CAUSAL = False")
    ids = torch.tensor([[3, 4, 5]])
    leaky = weights.load("m.pt")
    replace(weights, "layers.py", "CAUSAL = False", "CAUSAL = True")
    causal = weights.load("m.pt")
    assert leaky.info.fingerprint != causal.info.fingerprint
    assert not torch.equal(leaky.model.logits(ids), causal.model.logits(ids))


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("models.py", "x = x + layer(x)", "x = x - layer(x)"),
        ("tokenizer.json", '"normalizer": null', '"normalizer": {"type": "Lowercase"}'),
        ("evalharness.toml", "build", 'build"\nargs = { layers = 2 }\n#"'),
        ("evalharness.toml", "build", 'build"\nend_tokens = [5]\n#"'),
        ("evalharness.toml", "build", 'build"\nbegin_token = 5\n#"'),
        ("evalharness.toml", "build", 'build"\nprompt_template = "Do: {prompt}"\n#"'),
        ("evalharness.toml", "build", 'build"\ncontext_length = 16\n#"'),
    ],
)
def test_each_part_of_a_checkpoint_counts(weights, name, old, new):
    before = fingerprint(weights)
    replace(weights, name, old, new)
    assert fingerprint(weights) != before


def test_weights_and_dtype_count(weights, state):
    before = fingerprint(weights)
    assert fingerprint(weights, dtype="float64") != before
    torch.save({**state, "pos.weight": state["pos.weight"] + 1}, weights.folder / "m.pt")
    assert fingerprint(weights) != before


def test_a_module_that_is_imported_only_inside_a_function_counts(weights):
    weights.write("late.py", "SIGN = 1\n")
    replace(weights, "models.py", "return TinyGPT(**args)", "import late\n    return TinyGPT(**args)")
    before = fingerprint(weights)
    weights.write("late.py", "SIGN = -1\n")
    assert fingerprint(weights) != before


def test_a_file_that_the_model_does_not_use_does_not_count(weights):
    before = fingerprint(weights)
    weights.write("plot_losses.py", "import matplotlib\n")
    assert fingerprint(weights) == before


def test_an_adapter_and_its_configuration_count(project, save_adapter):
    folder = save_adapter("lora_step5")
    before = project.load("lora_step5").info.fingerprint
    config = folder / "adapter_config.json"
    config.write_text(config.read_text().replace('"lora_alpha": 8', '"lora_alpha": 16'))
    scaled = project.load("lora_step5").info.fingerprint
    save_adapter("lora_step5", seed=9)
    assert len({before, scaled, project.load("lora_step5").info.fingerprint}) == 3
