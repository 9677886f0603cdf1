"""Checkpoints of known projects, in the form in which their training leaves them, loaded without a manifest."""

from __future__ import annotations

import json
import pickle
import re
import sys
from types import SimpleNamespace

import pytest
import torch

from evalharness.errors import CheckpointError, UntrustedError
from evalharness.models.torch import load_checkpoint
from evalharness.models.torch.factory import UserCode
from evalharness.pipeline import initialise
from evalharness.progress import Silent
from evalharness.settings.manifest import find_manifest

IDS = torch.tensor([[3, 4, 5, 6]])

# A decoder of each project's interface, in a few lines: names of arguments, of classes and of what forward returns.
CONFIG_AND_LAST_LOGITS = """
from dataclasses import dataclass

import torch
from torch import nn


@dataclass
class GPTConfig:
    block_size: int = 1024
    vocab_size: int = 50304
    n_layer: int = 12
    n_head: int = 12
    n_embd: int = 768
    dropout: float = 0.0
    bias: bool = True


class Block(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.mlp = nn.Linear(config.n_embd, config.n_embd, bias=config.bias)

    def forward(self, x):
        return x + self.mlp(x)


class GPT(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.wte = nn.Embedding(config.vocab_size, config.n_embd)
        self.wpe = nn.Embedding(config.block_size, config.n_embd)
        self.h = nn.ModuleList([Block(config) for _ in range(config.n_layer)])
        self.lm_head = nn.Linear(config.n_embd, config.vocab_size, bias=False)
        self.wte.weight = self.lm_head.weight

    def forward(self, idx, targets=None):
        x = self.wte(idx) + self.wpe(torch.arange(idx.shape[1]))
        for block in self.h:
            x = block(x)
        if targets is None:
            return self.lm_head(x[:, [-1], :]), None
        logits = self.lm_head(x)
        return logits, nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
"""

TRANSFORMER_OF_PARAMS = """
from dataclasses import dataclass
from typing import Optional

from torch import nn


@dataclass
class ModelArgs:
    dim: int = 4096
    n_layers: int = 32
    n_heads: int = 32
    n_kv_heads: Optional[int] = None
    vocab_size: int = 32000
    multiple_of: int = 256
    max_seq_len: int = 2048
    dropout: float = 0.0


class Transformer(nn.Module):
    def __init__(self, params: ModelArgs):
        super().__init__()
        self.params = params
        self.tok_embeddings = nn.Embedding(params.vocab_size, params.dim)
        self.layers = nn.ModuleList([nn.Linear(params.dim, params.dim) for _ in range(params.n_layers)])
        self.output = nn.Linear(params.dim, params.vocab_size, bias=False)

    def forward(self, tokens, targets=None):
        h = self.tok_embeddings(tokens)
        for layer in self.layers:
            h = h + layer(h)
        return self.output(h if targets is not None else h[:, [-1], :])
"""

ALL_LOGITS_OF_CONFIG = """
from dataclasses import dataclass

from torch import nn

from {package}.{module} import width


@dataclass
class {config}:
    {length}: int = 2048
    vocab_size: int = 32768
    n_layer: int = 12
    n_embd: int = 768
    {window}


class GPT(nn.Module):
    def __init__(self, config: {config}) -> None:
        super().__init__()
        self.config = config
        self.wte = nn.Embedding(config.vocab_size, width(config))
        self.h = nn.ModuleList([nn.Linear(config.n_embd, config.n_embd) for _ in range(config.n_layer)])
        self.lm_head = nn.Linear(config.n_embd, config.vocab_size, bias=False)

    def forward(self, idx, targets=None, kv_cache=None):
        x = self.wte(idx)
        for layer in self.h:
            x = x + layer(x)
        return self.lm_head(x)
"""

LIGHTNING = '''
import torch
from torch import nn


class LightningModule(nn.Module):
    """Stands for Lightning's: a module with no forward of its own."""

    def training_step(self, batch):
        raise NotImplementedError


class Decoder(nn.Module):
    def __init__(self, vocab_size, width, depth=1):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, width)
        self.blocks = nn.ModuleList([nn.Linear(width, width) for _ in range(depth)])
        self.head = nn.Linear(width, vocab_size)

    def forward(self, ids):
        x = self.embed(ids)
        for block in self.blocks:
            x = x + block(x)
        return self.head(x)


class LitModel(LightningModule):
    def __init__(self, vocab_size: int, width: int, depth: int, lr: float = 3e-4):
        super().__init__()
        self.model = Decoder(vocab_size, width, depth)
        self.loss = nn.CrossEntropyLoss(weight=torch.ones(vocab_size))

    def training_step(self, batch):
        return self.model(batch).mean()
'''


@pytest.fixture
def bare(project):
    """A project's folder with a tokenizer and no manifest."""
    (project.folder / "evalharness.toml").unlink()
    for name in ("models.py", "layers.py"):
        (project.folder / name).unlink()
    (project.folder / ".git").mkdir()
    return project


def made(folder, spec, *args):
    """The module that the project's code makes, with weights of its own."""
    code = UserCode(folder)
    with torch.random.fork_rng():
        torch.manual_seed(5)
        return code.call(code.load(spec, "factory"), "factory", *args)


def save(path, saved):
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(saved, path)


def nanogpt(bare):
    bare.write("model.py", CONFIG_AND_LAST_LOGITS)
    args = {"n_layer": 2, "n_head": 2, "n_embd": 8, "block_size": 16, "bias": False, "vocab_size": 40, "dropout": 0.1}
    module = made(bare.folder, "model.py:GPT", SimpleNamespace(**args))
    saved = {
        "model": {f"_orig_mod.{name}": tensor for name, tensor in module.state_dict().items()},
        "optimizer": torch.optim.AdamW(module.parameters()).state_dict(),
        "model_args": args,
        "iter_num": 250,
        "best_val_loss": torch.tensor(1.75),
        "config": {"dataset": "tales_char", "batch_size": 4},
    }
    save(bare.folder / "out" / "ckpt.pt", saved)
    letters = ["\n", *"abcdefghijklmnopqrstuvwxyz ().,:=+0123456789"][:40]
    tables = {"vocab_size": 40, "itos": dict(enumerate(letters)), "stoi": {c: i for i, c in enumerate(letters)}}
    (bare.folder / "data" / "tales_char").mkdir(parents=True)
    (bare.folder / "data" / "tales_char" / "meta.pkl").write_bytes(pickle.dumps(tables))
    return "out/ckpt.pt", module, lambda ids: module(ids, ids)[0]


def llama2c(bare):
    bare.write("model.py", TRANSFORMER_OF_PARAMS)
    args = {"dim": 8, "n_layers": 2, "n_heads": 2, "n_kv_heads": 2, "vocab_size": 40, "multiple_of": 4}
    args |= {"max_seq_len": 16, "dropout": 0.0}
    module = made(bare.folder, "model.py:Transformer", SimpleNamespace(**args))
    saved = {"model": module.state_dict(), "model_args": args, "iter_num": 7, "best_val_loss": 2.5, "config": {}}
    save(bare.folder / "out" / "ckpt.pt", saved)
    return "out/ckpt.pt", module, lambda ids: module(ids, ids)


def package(bare, name, module, *, config, length, window="", factory):
    names = {"package": name, "module": "common", "config": config, "length": length, "window": window}
    bare.write(f"{name}/__init__.py", "")
    bare.write(f"{name}/common.py", "def width(config):\n    return config.n_embd\n")
    bare.write(f"{name}/{module}.py", ALL_LOGITS_OF_CONFIG.format(**names))
    values = {length: 16, "vocab_size": 40, "n_layer": 2, "n_embd": 8}
    return values, made(bare.folder, factory, SimpleNamespace(**values))


def nanochat(bare):
    config, module = package(
        bare, "nanochat", "gpt", config="GPTConfig", length="sequence_len", window="window_pattern: str = 'SSSL'",
        factory="nanochat.gpt:GPT",
    )  # fmt: skip
    folder = bare.folder / "cache" / "base_checkpoints" / "d2"
    save(folder / "model_000500.pt", module.state_dict())
    save(folder / "optim_000500_rank0.pt", {"state": {}})
    meta = {"step": 500, "val_bpb": 1.1, "model_config": config, "user_config": {"depth": 2}}
    (folder / "meta_000500.json").write_text(json.dumps(meta))
    (bare.folder / "tokenizer.json").replace(folder.parent / "tokenizer.json")
    words = json.loads((folder.parent / "tokenizer.json").read_text())
    (folder.parent / "tokenizer.json").write_text(json.dumps(words).replace("<|endoftext|>", "<|bos|>"))
    return "cache/base_checkpoints/d2", module, module


def litgpt(bare):
    config, module = package(bare, "litgpt", "model", config="Config", length="block_size", factory="litgpt.model:GPT")
    folder = bare.folder / "out" / "final"
    save(folder / "lit_model.pth", {"model": module.state_dict()})
    (folder / "model_config.yaml").write_text("".join(f"{name}: {value}\n" for name, value in config.items()))
    (folder / "config.json").write_text('{"model_type": "llama"}')
    return "out/final", module, module


def lightning(bare):
    bare.write("lit.py", LIGHTNING)
    bare.write("train.py", "from lit import LitModel\n\nfor step in range(3):\n    raise SystemExit('it trains')\n")
    module = made(bare.folder, "lit.py:LitModel", 40, 8, 2)
    saved = {
        "epoch": 1,
        "global_step": 600,
        "pytorch-lightning_version": "2.5.0",
        "state_dict": module.state_dict(),
        "loops": {"fit_loop": {"state_dict": {}}},
        "callbacks": {"ModelCheckpoint{'monitor': 'val_loss'}": {"best_model_score": torch.tensor(1.5)}},
        "optimizer_states": [torch.optim.AdamW(module.parameters()).state_dict()],
        "hparams_name": "kwargs",
        "hyper_parameters": {"vocab_size": 40, "width": 8, "depth": 2, "lr": 0.001},
    }
    path = "lightning_logs/version_0/checkpoints/epoch=1-step=600.ckpt"
    save(bare.folder / path, saved)
    return path, module, module.model


PROJECTS = [nanogpt, llama2c, nanochat, litgpt, lightning]


@pytest.fixture(autouse=True)
def _no_code_of_another_test():
    yield
    forget()


def forget():
    """What was imported to make a checkpoint is not there when it is scored."""
    for name in [name for name in sys.modules if name.partition(".")[0] in {"nanochat", "litgpt", "lit"}]:
        del sys.modules[name]


@pytest.mark.parametrize("write", PROJECTS)
def test_a_checkpoint_of_a_known_project_needs_no_manifest(bare, write):
    path, module, logits = write(bare)
    checkpoint = bare.load(path, trust=True)
    with torch.no_grad():
        assert torch.equal(checkpoint.model.logits(IDS), logits(IDS))
    assert checkpoint.info.parameters == sum(weights.numel() for weights in checkpoint.module.parameters())
    assert any(checkpoint.module.__class__.__name__ in note for note in checkpoint.info.notes) or write is lightning
    assert set(checkpoint.module.state_dict()) <= {name.removeprefix("model.") for name in module.state_dict()}


@pytest.mark.parametrize("write", PROJECTS)
def test_init_writes_at_most_six_lines_that_load_a_known_project(bare, write):
    path, _, logits = write(bare)
    bare.write("data/train.jsonl", '{"text": "abc"}\n')
    bare.write("data/val.jsonl", '{"text": "abd"}\n')
    result = initialise(bare.folder, Silent(), trust=True)
    keys = [line.key for line in result.lines]
    assert len(keys) <= 6
    assert {"model.factory", "model.args", "data.train", "data.validation"} <= set(keys)
    forget()
    with torch.no_grad():
        assert torch.equal(bare.load(path).model.logits(IDS), logits(IDS)), "the manifest names the code"


def test_the_data_alone_are_written_where_the_project_is_installed(bare, tmp_path, monkeypatch):
    path, _, logits = litgpt(bare)
    (bare.folder / "litgpt").rename(tmp_path / "litgpt")
    (bare.folder / "tokenizer.json").rename(bare.folder / path / "tokenizer.json")
    monkeypatch.syspath_prepend(tmp_path)
    bare.write("data/train.jsonl", '{"text": "abc"}\n')
    result = initialise(bare.folder, Silent(), trust=False)
    assert {line.key.partition(".")[0] for line in result.lines} <= {"data", "log"}
    with torch.no_grad():
        assert torch.equal(bare.load(path).model.logits(IDS), logits(IDS))


@pytest.mark.parametrize(
    ("write", "context", "step", "tokens"),
    [(nanogpt, 16, 250, 40), (nanochat, 16, 500, 40), (litgpt, 16, None, 40), (lightning, None, 600, 40)],
)
def test_what_the_files_say_is_taken(bare, write, context, step, tokens):
    path, *_ = write(bare)
    checkpoint = bare.load(path, trust=True)
    assert (checkpoint.context_length, checkpoint.info.step) == (context, step)
    assert checkpoint.tokenizer.vocab_size == tokens


@pytest.mark.parametrize("write", PROJECTS)
def test_code_that_no_manifest_names_is_not_run_without_trust(bare, write):
    path, *_ = write(bare)
    for file in bare.folder.rglob("*.py"):
        file.write_text(file.read_text() + "\nraise SystemExit('it was run')\n")
    with pytest.raises((UntrustedError, CheckpointError)) as caught:
        bare.load(path)
    assert "it was run" not in str(caught.value)
    assert isinstance(caught.value, UntrustedError) or write is lightning


@pytest.mark.parametrize("write", PROJECTS)
def test_code_that_is_not_there_is_named(bare, write):
    path, *_ = write(bare)
    for file in bare.folder.rglob("*.py"):
        file.unlink()
    forget()
    with pytest.raises(CheckpointError, match=r"model\.py|nanochat|litgpt|class"):
        bare.load(path, trust=True)


def test_what_a_manifest_says_is_kept(bare):
    path, module, logits = nanogpt(bare)
    bare.manifest('context_length = 9\ntokenizer = "tokenizer.json"\n[data]\ntrain = "rows.jsonl"')
    checkpoint = bare.load(path, trust=True)
    assert checkpoint.context_length == 9
    assert checkpoint.tokenizer.find("<|endoftext|>") == 1
    assert torch.equal(checkpoint.model.logits(IDS), logits(IDS))
    assert module is not None


def test_a_working_folder_that_holds_the_code_is_searched(bare, tmp_path):
    path, _, logits = nanogpt(bare)
    elsewhere = tmp_path / "elsewhere" / "runs"
    elsewhere.mkdir(parents=True)
    (bare.folder / path).replace(elsewhere / "ckpt.pt")
    loaded = load_checkpoint(
        elsewhere / "ckpt.pt", find_manifest(elsewhere / "ckpt.pt"), working_folder=bare.folder, trust=True
    )
    assert torch.equal(loaded.model.logits(IDS), logits(IDS))


def test_the_class_may_stand_in_a_file_of_another_name(bare):
    path, _, logits = nanogpt(bare)
    (bare.folder / "model.py").rename(bare.folder / "decoder.py")
    assert torch.equal(bare.load(path, trust=True).model.logits(IDS), logits(IDS))


@pytest.mark.parametrize("key", ["model_args", "config"])
def test_arguments_in_the_file_are_handed_to_the_factory_that_a_manifest_names(bare, key):
    path, module, logits = nanogpt(bare)
    saved = torch.load(bare.folder / path)
    torch.save({"net": saved["model"], key: saved["model_args"]}, bare.folder / path)
    bare.manifest('factory = "model.py:GPT"')
    checkpoint = bare.load(path)
    assert torch.equal(checkpoint.model.logits(IDS), logits(IDS))
    assert checkpoint.module.config.n_head == module.config.n_head == 2
    assert any("n_head=2" in note for note in checkpoint.info.notes)


def test_a_factory_that_takes_the_saved_table_gets_it(bare):
    path, _, logits = nanogpt(bare)
    saved = torch.load(bare.folder / path)
    bare.write("build.py", "from model import GPT, GPTConfig\n\n\ndef make(cfg):\n    return GPT(GPTConfig(**cfg))\n")
    torch.save({"model": saved["model"], "cfg": saved["model_args"]}, bare.folder / path)
    bare.manifest('factory = "build.py:make"')
    assert torch.equal(bare.load(path).model.logits(IDS), logits(IDS))


def test_hyperparameters_may_be_one_argument(bare):
    path, module, logits = lightning(bare)
    code = LIGHTNING.replace(
        "self, vocab_size: int, width: int, depth: int, lr: float = 3e-4", "self, hparams"
    ).replace("Decoder(vocab_size, width, depth)", "Decoder(hparams['vocab_size'], hparams['width'], hparams['depth'])")
    bare.write("lit.py", code.replace("torch.ones(vocab_size)", "torch.ones(hparams['vocab_size'])"))
    saved = torch.load(bare.folder / path)
    torch.save({**saved, "hparams_name": "hparams"}, bare.folder / path)
    assert torch.equal(bare.load(path, trust=True).model.logits(IDS), logits(IDS))
    assert module is not None


def test_the_first_shard_of_llama2c_is_its_validation(bare):
    path, *_ = llama2c(bare)
    shards = bare.folder / "data" / "TinyStories_all_data"
    shards.mkdir(parents=True)
    for name in ("data00.bin", "data01.bin"):
        (shards / name).write_bytes(bytes(64))
    data = bare.load(path, trust=True).data
    assert (data.validation, data.train) == (shards / "data00.bin", shards / "data01.bin")


@pytest.mark.parametrize(("folder", "is_proposed"), [("base_checkpoints", True), ("chatsft_checkpoints", False)])
def test_the_last_shard_of_nanochat_is_the_validation_of_its_base_models(bare, folder, is_proposed):
    path, *_ = nanochat(bare)
    (bare.folder / "cache" / "base_checkpoints").rename(bare.folder / "cache" / folder)
    shards = bare.folder / "cache" / "base_data_climbmix"
    shards.mkdir()
    for name in ("shard_00000.parquet", "shard_00001.parquet", "shard_06542.parquet"):
        (shards / name).write_bytes(b"")
    data = bare.load(path.replace("base_checkpoints", folder), trust=True).data
    expected = (shards / "shard_06542.parquet", shards / "shard_00000.parquet") if is_proposed else (None, None)
    assert (data.validation, data.train) == expected


@pytest.mark.parametrize(
    ("kind", "given", "files", "train", "validation"),
    [
        ("JSON", {"json_path": "rows"}, ("train.json", "val.jsonl"), "train.json", "val.jsonl"),
        ("TextFiles", {"train_data_path": "rows"}, ("a.txt", "b.txt"), "b.txt", "a.txt"),
        (
            "TextFiles",
            {"train_data_path": "rows", "val_data_path": "held"},
            ("a.txt", "../held/c.txt"),
            "a.txt",
            "../held/c.txt",
        ),
        ("Alpaca", {"download_dir": "rows"}, ("train.json",), None, None),
    ],
)
def test_the_data_of_litgpt_are_those_of_its_hyperparameters(bare, kind, given, files, train, validation):
    path, *_ = litgpt(bare)
    for name in files:
        bare.write(f"rows/{name}", "[]")
    values = {"data": {"class_path": f"litgpt.data.{kind}", "init_args": given}, "train": {"max_seq_length": 8}}
    bare.write(f"{path}/hyperparameters.yaml", json.dumps(values))
    checkpoint = bare.load(path, trust=True)
    expected = (name and (bare.folder / "rows" / name).resolve() for name in (train, validation))
    found = (checkpoint.data.train, checkpoint.data.validation)
    assert [file and file.resolve() for file in found] == list(expected)
    assert checkpoint.context_length == (8 if kind == "TextFiles" else 16), "fine-tuning may be shorter than the model"


def test_a_file_that_litgpt_split_at_random_is_named_with_how_it_was_split(bare):
    path, *_ = litgpt(bare)
    bare.write("rows.json", "[]")
    given = {"json_path": "rows.json", "val_split_fraction": 0.125, "seed": 7}
    values = {"data": {"class_path": "litgpt.data.JSON", "init_args": given}}
    bare.write(f"{path}/hyperparameters.yaml", json.dumps(values))
    checkpoint = bare.load(path, trust=True)
    assert (checkpoint.data.train, checkpoint.data.validation) == (None, None)
    said = [set(re.findall(r"[\w.]*\w", note)) for note in checkpoint.info.notes]
    assert any({"rows.json", "0.125", "7"} <= words for words in said)
