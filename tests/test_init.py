"""``evalharness init``: a manifest from what lies in a folder, which then loads."""

from __future__ import annotations

import json
import tomllib

import pytest
import torch
from click.testing import CliRunner

from evalharness import pipeline
from evalharness.commands.init import init
from evalharness.errors import EvalHarnessError, UntrustedError
from evalharness.models.torch import load_checkpoint
from evalharness.models.torch.factory import Table, UserCode
from evalharness.models.torch.projects.sizes import size_named, sizes_of
from evalharness.progress import Silent
from evalharness.settings.manifest import find_manifest, read_manifest

OWN = """
import torch
from torch import nn


class Part(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.mix = nn.Linear(width, width)

    def forward(self, x):
        return x + self.mix(x)


class Critic(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.score = nn.Linear(width, 1)


class TinyLM(nn.Module):
    def __init__(self, vocab_size, d_model, n_layers, max_len=32, heads=2):
        super().__init__()
        self.tok_emb = nn.Embedding(vocab_size, d_model)
        self.pos_emb = nn.Embedding(max_len, d_model)
        self.layers = nn.ModuleList([Part(d_model) for _ in range(n_layers)])
        self.head = nn.Linear(d_model, vocab_size)

    def forward(self, ids):
        x = self.tok_emb(ids) + self.pos_emb(torch.arange(ids.shape[1]))
        for layer in self.layers:
            x = layer(x)
        return self.head(x)
"""
TRAINING = "import net\n\nfor step in range(3):\n    raise SystemExit('it trains')\n"
SIZES = {"vocab_size": 40, "d_model": 12, "n_layers": 3, "max_len": 20}


@pytest.fixture
def folder(tmp_path):
    """A project of one's own: code, a training script, weights, a tokenizer, data and a log; no manifest."""
    from tokenizers import Tokenizer, models

    root = tmp_path / "mine"
    (root / "out").mkdir(parents=True)
    (root / "data").mkdir()
    (root / "tok").mkdir()
    (root / "net.py").write_text(OWN)
    (root / "train.py").write_text(TRAINING)
    for name in ("train.jsonl", "val.jsonl"):
        (root / "data" / name).write_text(json.dumps({"text": "abc"}) + "\n")
    letters = {c: i for i, c in enumerate("abcdefghijklmnopqrstuvwxyz ().,:=+")}
    Tokenizer(models.BPE(letters, [])).save(str(root / "tok" / "tokenizer.json"))
    return root


def save(folder, **beside):
    code = UserCode(folder)
    module = code.call(code.load("net.py:TinyLM", "factory"), "factory", **SIZES)
    torch.save({"net": module.state_dict(), **beside}, folder / "out" / "step_30.pt")
    return module


@pytest.mark.parametrize("beside", [{"config": SIZES}, {}, {"args": {"d_model": 12, "lr": 0.1}, "step": 30}])
def test_a_manifest_is_written_that_loads_the_checkpoint(folder, beside):
    module = save(folder, **beside)
    result = pipeline.initialise(folder, Silent(), trust=True)
    assert len(result.path.read_text().splitlines()) == len(result.lines) <= 6
    assert all(line.count("  # ") == 1 for line in result.path.read_text().splitlines())
    manifest = read_manifest(result.path)
    assert manifest.model.factory == "net.py:TinyLM"
    assert {name: manifest.model.args[name] for name in SIZES} == SIZES
    assert manifest.data.train == folder / "data" / "train.jsonl"
    assert manifest.data.validation == folder / "data" / "val.jsonl"
    loaded = load_checkpoint(folder / "out", find_manifest(folder / "out"), working_folder=folder)
    ids = torch.tensor([[1, 2, 3]])
    with torch.no_grad():
        assert torch.equal(loaded.model.logits(ids), module(ids))


def test_nothing_is_run_without_trust_and_nothing_is_written(folder):
    save(folder)
    (folder / "net.py").write_text(OWN + "\nWAS_RUN = open('was_run', 'w')\n")
    with pytest.raises(UntrustedError, match=r"net\.py"):
        pipeline.initialise(folder, Silent(), trust=False)
    assert not (folder / "evalharness.toml").exists()


def test_a_manifest_that_is_there_is_left_as_it_is(folder):
    save(folder)
    (folder / "evalharness.toml").write_text("#mine\n")
    with pytest.raises(EvalHarnessError, match=r"evalharness\.toml"):
        pipeline.initialise(folder, Silent(), trust=True)
    assert (folder / "evalharness.toml").read_text() == "#mine\n"


def test_what_is_not_found_is_told_by_its_key(folder):
    save(folder)
    (folder / "net.py").write_text("x = 1\n")
    for file in (*folder.glob("data/*"), *folder.glob("tok/*")):
        file.unlink()
    result = pipeline.initialise(folder, Silent(), trust=True)
    missing = " ".join(result.missing)
    assert all(key in missing for key in ("factory", "tokenizer", "train", "validation", "[log] path"))
    assert result.path is None


def test_the_command_prints_the_lines_and_what_comes_next(folder):
    save(folder)
    shown = CliRunner().invoke(init, [str(folder), "--trust", "--json"], catch_exceptions=False)
    found = json.loads(shown.stdout)
    assert tomllib.loads("\n".join(found["lines"]))["model"]["factory"] == "net.py:TinyLM"
    assert found["checkpoint"].endswith("step_30.pt")


def test_a_folder_of_hugging_face_needs_only_its_data(folder):
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(vocab_size=48, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1)
    LlamaForCausalLM(config).save_pretrained(folder / "final")
    result = pipeline.initialise(folder, Silent(), trust=False)
    assert [line.key for line in result.lines] == ["data.train", "data.validation"]


@pytest.mark.parametrize(
    ("name", "kind"),
    [("vocab_size", "vocabulary"), ("n_embd", "width"), ("dim", "width"), ("n_layer", "layers"), ("depth", "layers")],
)
def test_sizes_are_known_by_the_usual_names(name, kind):
    assert size_named(name, {kind: 7}) == 7


def test_sizes_are_those_of_the_shapes_and_heads_are_in_none(folder):
    sizes = sizes_of(save(folder).state_dict())
    assert sizes == {"vocabulary": 40, "width": 12, "layers": 3, "context": 20}
    assert size_named("n_head", sizes) is None


WITH_CONFIG = """
import torch
from torch import nn

{config}

class Layer(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        self.heads = {heads}
        self.mix = nn.Linear({width}, {width})

    def forward(self, x):
        return x + self.mix(x)


class Model(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        self.emb = nn.Embedding({rows}, {width})
        self.blocks = nn.ModuleList([Layer(cfg) for _ in range({depth})])
        self.out = nn.Linear({width}, {rows}, bias=False)

    def forward(self, x):
        x = self.emb(x)
        for block in self.blocks:
            x = block(x)
        return self.out(x)
"""
AS_CLASS = "class ModelConfig:\n    def __init__(self, rows=9, width=4, depth=1, heads=1):\n" + "".join(
    f"        self.{name} = {name}\n" for name in ("rows", "width", "depth", "heads")
)
NAMES = ("rows", "width", "depth", "heads")


@pytest.mark.parametrize(
    ("config", "read"),
    [("", 'cfg["{}"]'), ("", "cfg.{}"), (AS_CLASS, "cfg.{}")],
    ids=["table", "attributes", "class"],
)
def test_a_class_that_takes_one_configuration_gets_what_was_saved(folder, config, read):
    values = {"rows": 40, "width": 12, "depth": 2, "heads": 3}
    (folder / "net.py").write_text(WITH_CONFIG.format(config=config, **{name: read.format(name) for name in NAMES}))
    code = UserCode(folder)
    made = code.load("net.py:Model", "factory")
    module = code.call(made, "factory", Table(values))
    torch.save({"weights": module.state_dict(), "hparams": {**values, "lr": 0.1}}, folder / "out" / "step_30.pt")
    result = pipeline.initialise(folder, Silent(), trust=True)
    assert read_manifest(result.path).model.args == values
    loaded = load_checkpoint(folder / "out", find_manifest(folder / "out"), working_folder=folder)
    assert [layer.heads for layer in loaded.module.blocks] == [3, 3]


def test_a_config_of_ones_own_beside_safetensors_makes_no_folder_of_hugging_face(folder):
    from safetensors.torch import save_file

    module = save(folder)
    (folder / "out" / "step_30.pt").unlink()
    save_file(dict(module.state_dict()), folder / "out" / "model.safetensors")
    (folder / "out" / "config.json").write_text(json.dumps(SIZES))
    result = pipeline.initialise(folder, Silent(), trust=True)
    assert read_manifest(result.path).model.args == SIZES


def test_a_class_in_a_package_below_is_named_by_its_file(folder):
    module = save(folder)
    package = folder / "src" / "mine"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "part.py").write_text(OWN.partition("class Critic")[0])
    whole = (
        "import torch\nfrom torch import nn\nfrom .part import Part\n\n\nclass TinyLM"
        + OWN.partition("class TinyLM")[2]
    )
    (package / "net.py").write_text(whole)
    (folder / "net.py").unlink()
    (folder / "out").rename(folder / "src" / "out")
    pipeline.initialise(folder, Silent(), trust=True)
    path = folder / "src" / "out"
    loaded = load_checkpoint(path, find_manifest(path), working_folder=folder)
    ids = torch.tensor([[1, 2, 3]])
    with torch.no_grad():
        assert torch.equal(loaded.model.logits(ids), module(ids))


PAIR = {"prompt": "def add(a, b):\n", "chosen": "    return a + b\n", "rejected": "    return a\n"}


@pytest.mark.parametrize("row", [PAIR, {"text": "x = 1\n"}], ids=["a pair of answers", "a text"])
def test_the_only_file_of_rows_is_the_training_data_whatever_its_name(folder, row):
    save(folder)
    (folder / "data" / "train.jsonl").unlink()
    (folder / "pairs.jsonl").write_text(json.dumps(row) + "\n")
    (folder / "metrics_log.jsonl").write_text(json.dumps({"step": 1, "loss": 2.0}) + "\n")
    made = pipeline.initialise(folder, Silent(), trust=True)
    assert {line.key: line.value for line in made.lines}["data.train"] == "pairs.jsonl"


LOADS = "def load(path='vocab.txt'):\n    return list(open(path))\n"


@pytest.mark.parametrize(
    ("code", "tokenizer"),
    [
        ({"tokenizer.py": LOADS}, "tokenizer.py:load"),
        ({"my_tokens.py": LOADS.replace("load", "get_tokenizer")}, "my_tokens.py:get_tokenizer"),
        ({"tokenizer.py": LOADS.replace("='vocab.txt'", "")}, None),
        ({"tokenizer.py": LOADS + "print(load())\n"}, None),
        ({"tokenizer.py": LOADS, "old_tokenizer.py": LOADS}, None),
        ({"data.py": LOADS}, None),
    ],
    ids=["load", "get_tokenizer", "with an argument", "does more", "two", "not called so"],
)
def test_the_one_function_that_makes_a_tokenizer_is_named(folder, code, tokenizer):
    save(folder)
    (folder / "tok" / "tokenizer.json").unlink()
    for name, text in code.items():
        (folder / name).write_text(text)
    made = pipeline.initialise(folder, Silent(), trust=True)
    assert {line.key: line.value for line in made.lines}.get("model.tokenizer") == tokenizer
    assert any("[model] tokenizer" in line for line in made.missing) == (tokenizer is None)


def test_of_two_files_of_rows_without_a_telling_name_none_is_taken(folder):
    save(folder)
    (folder / "data" / "train.jsonl").unlink()
    for name in ("pairs.jsonl", "more.jsonl"):
        (folder / name).write_text(json.dumps(PAIR) + "\n")
    made = pipeline.initialise(folder, Silent(), trust=True)
    assert any(missing.startswith("[data] train") for missing in made.missing)
