"""PEFT adapters over the user's module and over a model of transformers."""

from __future__ import annotations

import json
import shutil
import warnings

import peft
import pytest
import torch
from safetensors.torch import load_file, save_file

from evalharness.diagnosis import Subject
from evalharness.diagnosis.measured import Measured
from evalharness.diagnosis.probes.adapter import adapter as examined
from evalharness.errors import CheckpointError
from evalharness.models.torch import load_checkpoint
from evalharness.records import Finding, RuledOut
from evalharness.settings.manifest import find_manifest

IDS = torch.tensor([[3, 4, 5, 6]])


@pytest.fixture
def adapter(save_adapter):
    return save_adapter("lora_step200")


def edit(folder, change):
    file = folder / "adapter_model.safetensors"
    save_file(change(load_file(file)), file)


def test_an_adapter_over_a_plain_module_gives_what_peft_gives(project, make_module, adapter, golden_text):
    checkpoint = project.load("lora_step200")
    module = peft.PeftModel.from_pretrained(make_module(), str(adapter)).eval()
    with torch.no_grad():
        assert torch.allclose(checkpoint.model.logits(IDS), module(IDS), atol=1e-6)
        assert not torch.allclose(checkpoint.model.logits(IDS), make_module()(IDS), atol=1e-3)
    assert checkpoint.info.kind == "PEFT adapter over a torch module"
    assert checkpoint.info.step == 200
    golden_text(checkpoint.info.notes)
    assert not any(parameter.requires_grad for parameter in checkpoint.module.parameters())


def test_the_file_of_an_adapter_stands_for_its_folder(project, adapter):
    assert project.load("lora_step200/adapter_model.safetensors").info.step == 200


def test_an_adapter_saved_as_bin_is_read(project, adapter):
    file = adapter / "adapter_model.safetensors"
    torch.save(load_file(file), adapter / "adapter_model.bin")
    file.unlink()
    assert project.load("lora_step200").info.kind == "PEFT adapter over a torch module"


def test_the_base_that_the_manifest_names_is_taken(project, adapter, golden_text):
    (project.folder / "base.safetensors").rename(project.folder / "v1_best.safetensors")
    torch.save({}, project.folder / "other.pt")
    project.manifest('factory = "models.py:build"\nweights = "v1_best.safetensors"')
    golden_text(project.load("lora_step200").info.notes)
    project.manifest('factory = "models.py:build"\nweights = "v2_best.safetensors"')
    with pytest.raises(CheckpointError) as error:
        project.load("lora_step200")
    golden_text(error)
    project.manifest('factory = "models.py:build"')
    with pytest.raises(CheckpointError) as error:
        project.load("lora_step200")
    golden_text(error)


def test_a_missing_name_is_an_error_where_peft_only_warns(project, adapter, golden_text):
    edit(adapter, lambda state: {name: tensor for name, tensor in state.items() if "layers.1.qkv.lora_B" not in name})
    with pytest.raises(CheckpointError) as caught:
        project.load("lora_step200")
    golden_text(caught)
    assert "\n" not in str(caught.value)


def test_an_unexpected_name_is_an_error(project, adapter, golden_text):
    edit(adapter, lambda state: {**state, "base_model.model.layers.7.qkv.lora_A.weight": torch.zeros(2, 16)})
    with pytest.raises(CheckpointError) as error:
        project.load("lora_step200")
    golden_text(error)


def test_a_rank_that_differs_from_the_configuration_is_one_line(project, adapter, golden_text):
    config = json.loads((adapter / "adapter_config.json").read_text())
    (adapter / "adapter_config.json").write_text(json.dumps({**config, "r": 4}))
    with pytest.raises(CheckpointError) as caught:
        project.load("lora_step200")
    golden_text(caught, {"(?<=lora_A.default.weight: ).*": "<what torch says>"})
    assert "\n" not in str(caught.value)


def test_targets_that_the_base_lacks_are_an_error(project, adapter, golden_text):
    config = json.loads((adapter / "adapter_config.json").read_text())
    (adapter / "adapter_config.json").write_text(json.dumps({**config, "target_modules": ["q_proj"]}))
    with pytest.raises(CheckpointError) as error:
        project.load("lora_step200")
    golden_text(error, {"(?<=NoMatchingPeftModuleError: ).*": "<what peft says>"})


def test_an_adapter_that_changes_nothing_after_step_zero_is_an_error(project, save_adapter, golden_text):
    save_adapter("lora_step200", trained=False)
    with pytest.raises(CheckpointError) as error:
        project.load("lora_step200")
    golden_text(error)


@pytest.mark.parametrize(("name", "note"), [("lora_step0", "untrained at step 0"), ("lora", "changes nothing")])
def test_an_untrained_adapter_at_step_zero_or_at_no_known_step_is_a_note(project, save_adapter, name, note):
    save_adapter(name, trained=False)
    assert any(note in line for line in project.load(name).info.notes)


def test_keys_of_a_newer_peft_are_a_note_and_not_a_warning(project, adapter):
    config = json.loads((adapter / "adapter_config.json").read_text())
    (adapter / "adapter_config.json").write_text(json.dumps({**config, "key_of_tomorrow": 1}))
    assert any("key_of_tomorrow" in line for line in project.load("lora_step200").info.notes)


@pytest.mark.parametrize("broken", ["{", "[]"])
def test_a_broken_configuration_is_one_line(project, adapter, broken, golden_text):
    (adapter / "adapter_config.json").write_text(broken)
    with pytest.raises(CheckpointError) as error:
        project.load("lora_step200")
    golden_text(error)


def test_an_adapter_without_weights_says_what_was_looked_for(project, adapter, golden_text):
    (adapter / "adapter_model.safetensors").unlink()
    with pytest.raises(CheckpointError) as error:
        project.load("lora_step200")
    golden_text(error)


def test_modules_that_were_saved_whole_come_along(project, make_module):
    save_file(
        {k: v for k, v in make_module().state_dict().items() if k != "head.weight"}, project.folder / "base.safetensors"
    )
    config = peft.LoraConfig(r=2, target_modules=["qkv"], modules_to_save=["pos"])
    adapted = peft.get_peft_model(make_module(), config)
    with torch.no_grad():
        adapted.base_model.model.pos.modules_to_save["default"].weight.add_(1.0)
        expected = adapted.eval()(IDS)
    adapted.save_pretrained(str(project.folder / "lora_step5"), save_embedding_layers=False)
    assert torch.allclose(project.load("lora_step5").model.logits(IDS), expected, atol=1e-6)


def save_llama_adapter(llama, folder):
    import transformers

    base = transformers.LlamaForCausalLM.from_pretrained(llama)
    config = peft.LoraConfig(r=2, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM")
    with warnings.catch_warnings():
        # PEFT reads an attribute of transformers that transformers deprecates.
        warnings.simplefilter("ignore", FutureWarning)
        adapted = peft.get_peft_model(base, config)
    for name, parameter in adapted.named_parameters():
        if "lora_B" in name:
            parameter.data.fill_(0.05)
    adapted.save_pretrained(str(folder), save_embedding_layers=False)
    with torch.no_grad():
        return adapted.eval()(IDS).logits


def point_to(folder, base):
    file = folder / "adapter_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "base_model_name_or_path": base}))


def test_an_adapter_over_a_hugging_face_base_finds_it_and_keeps_the_cache(project, make_llama):
    llama = make_llama(project.folder / "llama")
    expected = save_llama_adapter(llama, project.folder / "runs" / "checkpoint-30")
    (project.folder / "evalharness.toml").unlink()
    point_to(project.folder / "runs" / "checkpoint-30", "llama")
    checkpoint = project.load("runs/checkpoint-30")
    assert torch.allclose(checkpoint.model.logits(IDS), expected, atol=1e-5)
    assert checkpoint.info.kind == "PEFT adapter over a Hugging Face model"
    assert checkpoint.model.supports_cache
    assert checkpoint.end_token_ids == {1}


def test_the_manifest_says_where_a_hugging_face_base_is(project, make_llama):
    llama = make_llama(project.folder / "llama")
    save_llama_adapter(llama, project.folder / "checkpoint-30")
    point_to(project.folder / "checkpoint-30", "somewhere/else")
    project.manifest('weights = "llama"')
    assert project.load("checkpoint-30").info.step == 30


def test_a_base_that_is_not_here_is_one_line(project, make_llama, golden_text):
    llama = make_llama(project.folder / "llama")
    save_llama_adapter(llama, project.folder / "checkpoint-30")
    shutil.rmtree(llama)
    project.manifest("")
    point_to(project.folder / "checkpoint-30", "/gone/llama")
    with pytest.raises(CheckpointError) as error:
        project.load("checkpoint-30")
    golden_text(error)
    point_to(project.folder / "checkpoint-30", "nobody-here/no-such-model")
    with pytest.raises(CheckpointError, match=r"nobody-here/no-such-model") as caught:
        project.load("checkpoint-30")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("dtype", ["bfloat16", "float64", "auto"])
def test_an_adapter_takes_the_dtype_of_its_base(project, adapter, dtype):
    checkpoint = project.load("lora_step200", dtype=dtype)
    assert checkpoint.dtype == ("float32" if dtype == "auto" else dtype)
    assert torch.isfinite(checkpoint.model.logits(IDS)).all()


@pytest.mark.parametrize("times", [0, 1, 2])
def test_a_merged_checkpoint_tells_how_often_its_adapter_is_in_it(project, make_module, adapter, times):
    whole = {name: tensor.clone() for name, tensor in make_module().state_dict().items()}
    tuned = peft.PeftModel.from_pretrained(make_module(), str(adapter)).merge_and_unload().state_dict()
    merged = {name: tensor + times * (tuned[name] - tensor) for name, tensor in whole.items()}
    torch.save(merged, project.folder / "merged.pt")
    project.manifest('factory = "models.py:build"\nweights = "base.safetensors"\nmerged_adapter = "lora_step200"')
    checkpoint = project.load("merged.pt")
    assert checkpoint.without_adapter is None
    assert adapter / "adapter_model.safetensors" in checkpoint.files
    outcomes = examined(Measured(Subject(checkpoint.model, checkpoint.tokenizer, adapter=checkpoint.adapter)))
    found = [outcome.claim for outcome in outcomes if isinstance(outcome, Finding)]
    assert len(found) == (times != 1)
    assert all({0: "not at all", 2: "twice"}[times] in claim for claim in found)
    cleared = " ".join(outcome.claim for outcome in outcomes if isinstance(outcome, RuledOut))
    assert ("in the weights once" in cleared) == (times == 1)


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing:FutureWarning")
def test_an_adapter_with_an_enlarged_embedding_resizes_its_base(llama, tmp_path):
    import peft
    from transformers import AutoModelForCausalLM

    base = AutoModelForCausalLM.from_pretrained(llama)
    base.resize_token_embeddings(52, mean_resizing=False)
    adapted = peft.get_peft_model(base, peft.LoraConfig(r=2, target_modules=["q_proj"], task_type="CAUSAL_LM"))
    for name, weights in adapted.named_parameters():
        if "lora_B" in name:
            weights.data.fill_(0.25)
    folder = tmp_path / "adapter"
    adapted.save_pretrained(str(folder), save_embedding_layers=True)
    manifest = folder / "evalharness.toml"
    manifest.write_text(f'[model]\nweights = "{llama}"\ntokenizer = "{llama}"\n')
    checkpoint = load_checkpoint(folder, find_manifest(folder), working_folder=folder)
    ids = torch.tensor([[3, 4, 5, 51]])
    with torch.no_grad():
        assert torch.allclose(checkpoint.model.logits(ids), adapted(ids).logits, atol=1e-5)
    assert any("48" in note and "52" in note for note in checkpoint.info.notes)


@pytest.mark.parametrize("kept", [lambda _: {}, lambda state: {name: tensor[:0] for name, tensor in state.items()}])
@pytest.mark.parametrize("name", ["adapter_model.bin", "adapter_model.safetensors"])
def test_a_file_without_weights_is_an_error_for_the_base_alone_would_answer(project, adapter, kept, name):
    from safetensors.torch import load_file, save_file

    file = adapter / "adapter_model.safetensors"
    state = kept(load_file(file))
    file.unlink()
    (save_file if name.endswith("safetensors") else torch.save)(state, adapter / name)
    with pytest.raises(CheckpointError, match=name) as caught:
        project.load("lora_step200")
    assert "\n" not in str(caught.value)


def test_an_adapter_with_one_empty_tensor_was_not_gathered(project, adapter):
    edit(adapter, lambda state: {**state, next(iter(state)): torch.empty(0)})
    with pytest.raises(CheckpointError, match=r"\b1 \(") as caught:
        project.load("lora_step200")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "part"),
    [
        ("layers", "language_model.layers", "'language_model.' in the file, '' in"),
        ("layers", "transformer.blocks", "'transformer.blocks.' in the file, 'layers.' in"),
    ],
)
def test_an_adapter_of_another_class_is_told_by_the_part_of_its_names(project, adapter, old, new, part):
    edit(adapter, lambda state: {name.replace(f".{old}.", f".{new}."): tensor for name, tensor in state.items()})
    with pytest.raises(CheckpointError, match=part):
        project.load("lora_step200")


@pytest.mark.parametrize("old", ["layers.1", "qkv"])
def test_other_layers_or_modules_are_no_other_class(project, adapter, old):
    edit(adapter, lambda state: {name.replace(f".{old}.", ".2."): tensor for name, tensor in state.items()})
    with pytest.raises(CheckpointError) as caught:
        project.load("lora_step200")
    assert "differ by a part" not in str(caught.value)
