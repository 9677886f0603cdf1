"""Modules of the user's own code: factories, forward passes, and every form of weight file."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import save_file, save_model

from evalharness.errors import CheckpointError, EvaluationError, ManifestError, UntrustedError

IDS = torch.tensor([[3, 4, 5, 6]])


def logits_of(module):
    with torch.no_grad():
        return module(IDS)


def test_a_bare_state_dict_gives_the_module_that_wrote_it(project, make_module, golden_text):
    module = make_module()
    torch.save(module.state_dict(), project.folder / "step_600.pt")
    checkpoint = project.load("step_600.pt")
    assert torch.equal(checkpoint.model.logits(IDS), logits_of(module))
    assert checkpoint.info.kind == "torch module"
    assert checkpoint.info.step == 600
    assert checkpoint.info.parameters == sum(parameter.numel() for parameter in module.parameters())
    golden_text(checkpoint.info.notes[0])
    assert checkpoint.context_length == checkpoint.model.context_length == 32
    assert checkpoint.model.supports_cache is False
    assert not checkpoint.module.training


def test_what_a_factory_prints_does_not_reach_stdout(project, state, capsys, golden_text):
    torch.save(state, project.folder / "m.pt")
    project.load("m.pt")
    captured = capsys.readouterr()
    assert captured.out == ""
    golden_text(captured.err)


@pytest.mark.parametrize("key", ["model_state_dict", "model", "state_dict"])
def test_a_state_dict_is_found_under_its_usual_keys_with_step_and_loss(project, make_module, key):
    module = make_module()
    optimizer = torch.optim.AdamW(module.parameters())
    saved = {key: module.state_dict(), "optimizer": optimizer.state_dict(), "iter_num": 250, "best_val_loss": 1.5}
    torch.save(saved, project.folder / "ckpt.pt")
    checkpoint = project.load("ckpt.pt")
    assert (checkpoint.info.step, checkpoint.logged_val_loss) == (250, 1.5)
    assert torch.equal(checkpoint.model.logits(IDS), logits_of(module))


def test_the_loss_that_lightning_saved_a_checkpoint_for_is_read(project, state):
    seen = {"monitor": "val_loss", "current_score": torch.tensor(1.5), "best_model_score": torch.tensor(1.25)}
    saved = {"state_dict": state, "global_step": 250, "callbacks": {"EarlyStopping": {}, "ModelCheckpoint{}": seen}}
    torch.save(saved, project.folder / "last.ckpt")
    checkpoint = project.load("last.ckpt")
    assert (checkpoint.info.step, checkpoint.logged_val_loss) == (250, 1.5)


def test_a_loss_in_the_name_of_the_file_is_read(project, state):
    for name, loss in (("epoch=3-val_loss=1.25.pt", 1.25), ("best-train_loss=1.25.pt", None)):
        torch.save(state, project.folder / name)
        assert project.load(name).logged_val_loss == loss


def assert_holds(checkpoint, state):
    loaded = checkpoint.module.state_dict()
    assert loaded.keys() == state.keys()
    assert all(torch.equal(loaded[name], tensor) for name, tensor in state.items())


@pytest.mark.parametrize("prefix", ["_orig_mod.", "module.", "module._orig_mod.", "_orig_mod.module."])
def test_prefixes_of_compile_and_ddp_are_taken_off(project, state, prefix):
    torch.save({"model": {prefix + name: tensor for name, tensor in state.items()}}, project.folder / "m.pt")
    assert project.load("m.pt").info.kind == "torch module"


def test_a_compiled_layer_inside_the_model_is_matched_too(project, state):
    renamed = {name.replace("layers.0.", "layers.0._orig_mod."): tensor for name, tensor in state.items()}
    torch.save(renamed, project.folder / "m.pt")
    assert_holds(project.load("m.pt"), state)


def test_the_old_format_of_torch_save_is_read(project, state):
    torch.save(state, project.folder / "m.pth", _use_new_zipfile_serialization=False)
    assert_holds(project.load("m.pth"), state)


def test_safetensors_without_the_tied_copy_are_complete(project, make_module):
    module = make_module()
    save_model(module, str(project.folder / "m.safetensors"), metadata={"step": "40"})
    checkpoint = project.load("m.safetensors")
    assert torch.equal(checkpoint.model.logits(IDS), logits_of(module))
    assert checkpoint.info.step == 40


def test_sharded_safetensors_are_read_by_their_index(project, make_module, golden_text):
    module = make_module()
    names = [name for name in module.state_dict() if name != "head.weight"]
    parts = {"m-00001-of-00002.safetensors": names[:3], "m-00002-of-00002.safetensors": names[3:]}
    (project.folder / "w").mkdir()
    for file, inside in parts.items():
        save_file({name: module.state_dict()[name] for name in inside}, project.folder / "w" / file)
    weight_map = {name: file for file, inside in parts.items() for name in inside}
    index = project.write("w/m.safetensors.index.json", json.dumps({"weight_map": weight_map}))
    assert torch.equal(project.load("w").model.logits(IDS), logits_of(module))
    (project.folder / "w" / "m-00002-of-00002.safetensors").unlink()
    with pytest.raises(CheckpointError) as error:
        project.load(index)
    golden_text(error)


def test_the_config_file_is_handed_over_as_a_dict(project, make_module):
    project.write("arch.json", '{"layers": 1}')
    project.manifest('factory = "models.py:from_config"\nconfig = "arch.json"')
    torch.save(make_module(layers=1).state_dict(), project.folder / "m.pt")
    assert len(project.load("m.pt").module.layers) == 1


def test_a_config_goes_to_keywords_where_the_factory_takes_no_dict(project, make_module):
    project.write("arch.json", '{"layers": 1}')
    project.manifest('factory = "models.py:build"\nconfig = "arch.json"')
    torch.save(make_module(layers=1).state_dict(), project.folder / "m.pt")
    assert len(project.load("m.pt").module.layers) == 1


def test_args_become_keyword_arguments(project, make_module):
    project.manifest('factory = "models.py:build"\nargs = { layers = 3, width = 8 }')
    torch.save(make_module(layers=3, width=8).state_dict(), project.folder / "m.pt")
    assert len(project.load("m.pt").module.layers) == 3


def test_a_package_can_hold_the_factory(project, state):
    package = project.folder / "zoo"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "nets.py").write_text("from models import build\n")
    project.manifest('factory = "zoo.nets:build"')
    torch.save(state, project.folder / "m.pt")
    assert_holds(project.load("m.pt"), state)


def test_a_tuple_gives_its_first_floating_tensor_of_three_dimensions(project, state):
    project.manifest('factory = "models.py:tuple_out"')
    torch.save(state, project.folder / "m.pt")
    assert project.load("m.pt").model.logits(IDS).shape == (1, 4, 48)


def test_a_forward_for_the_last_position_alone_is_refused_and_the_key_is_named(project, state, golden_text):
    project.manifest('factory = "models.py:last_only"')
    torch.save(state, project.folder / "m.pt")
    with pytest.raises(CheckpointError) as caught:
        project.load("m.pt")
    golden_text(caught)
    assert "\n" not in str(caught.value)


def test_a_forward_function_of_the_manifest_is_used(project, state):
    project.manifest('factory = "models.py:last_only"\nforward = "models.py:all_logits"')
    torch.save(state, project.folder / "m.pt")
    assert project.load("m.pt").model.logits(IDS).shape == (1, 4, 48)


def test_two_projects_with_files_of_the_same_names_do_not_mix(project, state, tmp_path):
    torch.save(state, project.folder / "m.pt")
    other = type(project)(tmp_path / "other")
    for file in ("layers.py", "models.py", "tokenizer.json", "evalharness.toml"):
        other.write(file, (project.folder / file).read_text())
    other.write("layers.py", (project.folder / "layers.py").read_text().replace("is_causal=CAUSAL", "is_causal=False"))
    torch.save(state, other.folder / "m.pt")
    causal, leaky = project.load("m.pt"), other.load("m.pt")
    again = project.load("m.pt")
    assert not torch.equal(causal.model.logits(IDS), leaky.model.logits(IDS))
    assert torch.equal(causal.model.logits(IDS), again.model.logits(IDS))
    assert str(project.folder) not in sys.path


def test_an_import_while_the_model_runs_finds_the_projects_own_module(project, state, tmp_path):
    torch.save(state, project.folder / "m.pt")
    other = type(project)(tmp_path / "other")
    source = (project.folder / "models.py").read_text()
    late = source.replace("return self.head(x)", "import sign\n        return sign.SIGN * self.head(x)")
    for made, sign in ((project, 1), (other, -1)):
        for file in ("layers.py", "tokenizer.json", "evalharness.toml"):
            made.write(file, (project.folder / file).read_text())
        made.write("models.py", late)
        made.write("sign.py", f"SIGN = {sign}\n")
        torch.save(state, made.folder / "m.pt")
    plus, minus = project.load("m.pt"), other.load("m.pt")
    assert torch.equal(plus.model.logits(IDS), -minus.model.logits(IDS))
    assert torch.equal(plus.model.logits(IDS), -minus.model.logits(IDS))


def test_a_file_named_like_a_library_does_not_stay_in_its_place(project, state):
    import tokenizers

    project.write("tokenizers.py", "MINE = True\n")
    project.write(
        "models.py", "import tokenizers\nassert tokenizers.MINE\n" + (project.folder / "models.py").read_text()
    )
    torch.save(state, project.folder / "m.pt")
    project.load("m.pt")
    assert sys.modules["tokenizers"] is tokenizers


def test_complex_tables_keep_their_imaginary_part(project, state):
    source = (project.folder / "models.py").read_text()
    table = 'self.register_buffer("turn", torch.polar(torch.ones(4), torch.arange(4.0)), persistent=False)\n'
    project.write("models.py", source.replace("self.head = ", table + "        self.head = ", 1))
    torch.save(state, project.folder / "m.pt")
    assert project.load("m.pt", dtype="float64").module.turn.is_complex()


@pytest.mark.parametrize(
    ("dtype", "out"), [("float32", "float32"), ("bfloat16", "float32"), ("float64", "float64"), ("auto", "float32")]
)
def test_logits_are_wide_whatever_the_weights_are(project, state, dtype, out):
    torch.save({name: tensor.bfloat16() for name, tensor in state.items()}, project.folder / "m.pt")
    checkpoint = project.load("m.pt", dtype=dtype)
    assert str(checkpoint.model.logits(IDS).dtype) == f"torch.{out}"
    assert checkpoint.dtype == ("float32" if dtype == "auto" else dtype)


def test_a_missing_mask_that_the_code_fills_itself_is_noted(project, state, golden_text):
    mask = 'self.register_buffer("mask", torch.tril(torch.ones(4, 4)))\n'
    source = (project.folder / "models.py").read_text()
    project.write("models.py", source.replace("self.head = ", mask + "        self.head = ", 1))
    torch.save(state, project.folder / "m.pt")
    golden_text(project.load("m.pt").info.notes)


def test_a_missing_buffer_of_random_numbers_is_an_error(project, state, golden_text):
    source = (project.folder / "models.py").read_text()
    noise = 'import random; self.register_buffer("noise", torch.full((2,), random.random()))\n'
    project.write("models.py", source.replace("self.head = ", noise + "        self.head = ", 1))
    torch.save(state, project.folder / "m.pt")
    with pytest.raises(CheckpointError) as error:
        project.load("m.pt")
    golden_text(error)


def test_a_mask_that_only_the_file_has_is_an_error(project, state, golden_text):
    torch.save({**state, "layers.0.mask": torch.tril(torch.ones(4, 4))}, project.folder / "m.pt")
    with pytest.raises(CheckpointError) as error:
        project.load("m.pt")
    golden_text(error)


@pytest.mark.parametrize("prefix", ["", "model."])
def test_tensors_that_were_not_gathered_are_said_to_be_empty(project, state, prefix):
    saved = {prefix + name: tensor for name, tensor in {**state, "head.weight": torch.empty(0)}.items()}
    torch.save(saved, project.folder / "m.pt")
    with pytest.raises(CheckpointError, match=r"\(.*head.weight\)"):
        project.load("m.pt")


def test_a_constant_that_is_no_longer_saved_is_accepted_where_it_is_the_same(project, state, golden_text):
    mask = 'self.register_buffer("mask", torch.tril(torch.ones(4, 4)), persistent=False)\n'
    source = (project.folder / "models.py").read_text()
    project.write("models.py", source.replace("self.head = ", mask + "        self.head = ", 1))
    torch.save({**state, "mask": torch.tril(torch.ones(4, 4))}, project.folder / "m.pt")
    project.load("m.pt")
    torch.save({**state, "mask": torch.ones(4, 4)}, project.folder / "m.pt")
    with pytest.raises(CheckpointError) as error:
        project.load("m.pt")
    golden_text(error)


def test_names_that_do_not_match_are_one_line_with_the_first_three(project, state, golden_text):
    del state["layers.0.qkv.weight"], state["pos.weight"]
    torch.save({**state, **{f"extra.{n}": torch.zeros(1) for n in range(5)}}, project.folder / "m.pt")
    with pytest.raises(CheckpointError) as caught:
        project.load("m.pt")
    text = str(caught.value)
    golden_text(text)
    assert "\n" not in text


def test_tied_names_that_differ_in_the_file_are_an_error(project, state, golden_text):
    torch.save({**state, "head.weight": torch.zeros(48, 16)}, project.folder / "m.pt")
    with pytest.raises(CheckpointError) as error:
        project.load("m.pt")
    golden_text(error)


def test_shapes_that_do_not_match_name_both_sides(project, make_module, golden_text):
    torch.save(make_module(rows=40).state_dict(), project.folder / "m.pt")
    with pytest.raises(CheckpointError) as error:
        project.load("m.pt")
    golden_text(error)


def test_a_tokenizer_larger_than_the_embedding_is_an_error(project, make_module, golden_text):
    project.manifest('factory = "models.py:build"\nargs = { rows = 30 }')
    torch.save(make_module(rows=30).state_dict(), project.folder / "step_600.pt")
    with pytest.raises(CheckpointError) as error:
        project.load("step_600.pt")
    golden_text(error)


def test_rows_without_a_token_are_held_out(project, state):
    torch.save(state, project.folder / "m.pt")
    checkpoint = project.load("m.pt")
    assert checkpoint.held_out_ids == tuple(range(40, 48))
    assert checkpoint.token_mask.tolist() == [True] * 40 + [False] * 8


class Whole(torch.nn.Linear):
    """Saved whole, as a pickle that asks for its class."""


def test_a_file_that_needs_more_than_tensors_is_refused_and_trust_reads_it(project, state, golden_text):
    torch.save({"model": state, "val_loss": np.float64(0.5)}, project.folder / "m.pt")
    with pytest.raises(UntrustedError) as caught:
        project.load("m.pt")
    golden_text(caught, {r"numpy\S+scalar": "<numpy scalar>"})
    assert "\n" not in str(caught.value)
    assert project.load("m.pt", trust=True).logged_val_loss == 0.5
    torch.save(Whole(2, 2), project.folder / "m.pt")
    with pytest.raises(UntrustedError, match=r"Whole"):
        project.load("m.pt")


def test_a_manifest_outside_the_working_folder_needs_trust(project, state, tmp_path, golden_text):
    torch.save(state, project.folder / "m.pt")
    (tmp_path / "elsewhere").mkdir()
    with pytest.raises(UntrustedError) as error:
        project.load("m.pt", working_folder=tmp_path / "elsewhere")
    golden_text(error)
    project.load("m.pt", working_folder=tmp_path / "elsewhere", trust=True)


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        ('factory = "modles.py:build"', r"there is no file .*modles.py \(nearest: models.py\)"),
        ('factory = "models.py:biuld"', r"models.py has no 'biuld' \(nearest: build\)"),
        ('factory = "models.py:VALUE"', r"its type is int, expected a function or a class"),
        ('factory = "models.py:fails"', r"raises ValueError: no such layer \(models.py line \d+\)"),
        ('factory = "models.py:not_a_module"', r"returns a int, expected a torch.nn.Module"),
        ('factory = "models.py:build"\nargs = { layres = 2 }', r"raises TypeError.*layres"),
        ('factory = "no_such_package_here.nets:build"', r"raises ModuleNotFoundError"),
        ('factory = "models.py:build"\nforward = "models.py:VALUE"', r"forward = .* expected a function"),
        ('factory = "models.py:build"\nend_tokens = ["<|endoftxt|>"]', r"no token .*nearest: <\|endoftext\|>"),
        ('factory = "models.py:build"\nbegin_token = 99', r"the tokenizer has no id 99"),
        ('factory = "models.py:build"\nconfig = "none.json"', r"config = .*can't be read"),
        ('factory = "models.py"', r"expected 'file.py:name'"),
        ('factory = "models.py:build"\ntokenizer = "none.json"', r"tokenizer = 'none.json': there is no"),
        ("context_length = 3", r"m.pt: bare weights need a factory; .*evalharness.toml has none: write .*factory = "),
    ],
)
def test_a_wrong_manifest_is_one_line_that_says_what_was_expected(project, state, manifest, message):
    torch.save(state, project.folder / "m.pt")
    project.manifest(manifest)
    with pytest.raises((CheckpointError, ManifestError), match=message) as caught:
        project.load("m.pt")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["m.pt", "m.safetensors"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_truncated_file_is_one_line(project, state, name, share):
    path = project.folder / name
    if name.endswith(".pt"):
        torch.save(state, path)
    else:
        save_file({key: value for key, value in state.items() if key != "head.weight"}, path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(CheckpointError, match=r"corrupt") as caught:
        project.load(name)
    assert "\n" not in str(caught.value)
    assert not isinstance(caught.value, UntrustedError)


def test_a_file_that_holds_no_tensors_says_what_is_there(project, golden_text):
    torch.save({"loss": 1.0, "step": 3}, project.folder / "m.pt")
    with pytest.raises(CheckpointError) as error:
        project.load("m.pt")
    golden_text(error)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dtype": "float23"}, r"dtype 'float23' is unknown, expected one of float32"),
        ({"device": "gpu"}, r"device 'gpu' is unknown, expected cpu"),
        ({"device": "cuda:97"}, r"device 'cuda:97': torch .* sees \d+ CUDA devices here"),
    ],
)
def test_an_unknown_device_or_dtype_is_named(project, state, settings, message):
    torch.save(state, project.folder / "m.pt")
    with pytest.raises(CheckpointError, match=message):
        project.load("m.pt", **settings)


def test_a_forward_that_fails_later_is_an_evaluation_error(project, state, golden_text):
    torch.save(state, project.folder / "m.pt")
    with pytest.raises(EvaluationError) as error:
        project.load("m.pt").model.logits(torch.zeros(1, 40, dtype=torch.int64))
    golden_text(error)


def test_loading_leaves_the_random_generator_as_it_was(project, state):
    torch.save(state, project.folder / "m.pt")
    before = torch.get_rng_state()
    project.load("m.pt")
    assert torch.equal(before, torch.get_rng_state())


def test_a_file_of_a_package_may_import_its_neighbours(project, state):
    package = project.folder / "src" / "nets"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "parts.py").write_text(project.folder.joinpath("layers.py").read_text())
    models = project.folder.joinpath("models.py").read_text()
    (package / "whole.py").write_text(models.replace("from layers import", "from .parts import"))
    (package / "other.py").write_text(models.replace("from layers import", "from nets.parts import"))
    torch.save(state, project.folder / "m.pt")
    for name in ("whole", "other"):
        project.manifest(f'factory = "src/nets/{name}.py:build"')
        assert_holds(project.load("m.pt"), state)
