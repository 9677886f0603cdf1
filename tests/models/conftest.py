"""Real, tiny checkpoints of every kind, written to a folder as their users would have them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors.torch import save_file

from evalharness.models.torch import load_checkpoint
from evalharness.settings.manifest import find_manifest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

ROWS = 48

LAYERS = """
import torch
from torch import nn

CAUSAL = True


class Attention(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.qkv = nn.Linear(width, 3 * width)
        self.out_proj = nn.Linear(width, width)

    def forward(self, x):
        q, k, v = self.qkv(x).chunk(3, dim=-1)
        return self.out_proj(nn.functional.scaled_dot_product_attention(q, k, v, is_causal=CAUSAL))
"""

MODELS = """
import torch
from torch import nn

from layers import Attention


class TinyGPT(nn.Module):
    def __init__(self, rows=48, width=16, layers=2, context_length=32):
        super().__init__()
        self.context_length = context_length
        self.tok = nn.Embedding(rows, width)
        self.pos = nn.Embedding(context_length, width)
        self.layers = nn.ModuleList([Attention(width) for _ in range(layers)])
        self.head = nn.Linear(width, rows, bias=False)
        self.head.weight = self.tok.weight

    def forward(self, ids):
        x = self.tok(ids) + self.pos(torch.arange(ids.shape[1], device=ids.device))
        for layer in self.layers:
            x = x + layer(x)
        return self.head(x)


class TupleGPT(TinyGPT):
    def forward(self, ids, targets=None):
        return None, super().forward(ids)


class LastOnlyGPT(TinyGPT):
    def forward(self, ids, targets=None):
        return super().forward(ids)[:, -1:, :], None

    def everything(self, ids):
        return super().forward(ids)


def build(**args):
    print("number of parameters: many")
    return TinyGPT(**args)


def from_config(config):
    return TinyGPT(**config)


def tuple_out(**args):
    return TupleGPT(**args)


def last_only(**args):
    return LastOnlyGPT(**args)


def all_logits(model, ids):
    return model.everything(ids)


def not_a_module():
    return 3


def fails():
    raise ValueError("no such layer")


VALUE = 7
"""


@dataclass
class Project:
    """A user's project folder."""

    folder: Path

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def manifest(self, text: str = 'factory = "models.py:build"') -> Path:
        return self.write("evalharness.toml", f"[model]\n{text}\n")

    def load(self, path: str | Path, **settings: Any) -> Any:
        settings.setdefault("working_folder", self.folder)
        return load_checkpoint(self.folder / path, find_manifest(self.folder / path), **settings)


def words_tokenizer(count: int = ROWS - 8) -> Any:
    """A byte-level tokenizer is too large for these models: a vocabulary of characters, with an unknown token."""
    from tokenizers import Tokenizer, decoders, models

    letters = ["<unk>", "<|endoftext|>", *"abcdefghijklmnopqrstuvwxyz \n():=+,.0123456789"][:count]
    tokenizer = Tokenizer(models.BPE({letter: number for number, letter in enumerate(letters)}, [], unk_token="<unk>"))
    tokenizer.decoder = decoders.Fuse()
    tokenizer.add_special_tokens(["<unk>", "<|endoftext|>"])
    return tokenizer


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(tmp_path / "project")
    made.write("layers.py", LAYERS)
    made.write("models.py", MODELS)
    words_tokenizer().save(str(made.folder / "tokenizer.json"))
    made.manifest()
    return made


@pytest.fixture
def make_module(project: Project) -> Callable[..., Any]:
    """Build the project's module with weights of its own, as its training script would."""

    def make(seed: int = 1, **args: Any) -> Any:
        from evalharness.models.torch.factory import UserCode

        code = UserCode(project.folder)
        build = code.load("models.py:build", "factory")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return code.call(build, "factory", **args)

    return make


@pytest.fixture
def state(make_module: Callable[..., Any]) -> dict[str, torch.Tensor]:
    return dict(make_module().state_dict())


@pytest.fixture
def save_adapter(project: Project, make_module: Callable[..., Any]) -> Callable[..., Path]:
    """Write a LoRA adapter over the project's base by PEFT's own ``save_pretrained``."""
    import peft

    def save(name: str, *, trained: bool = True, seed: int = 3) -> Path:
        base = make_module()
        if not (project.folder / "base.safetensors").exists():
            kept = {key: value for key, value in base.state_dict().items() if key != "head.weight"}
            save_file(kept, project.folder / "base.safetensors")
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            adapted = peft.get_peft_model(base, peft.LoraConfig(r=2, target_modules=["qkv", "out_proj"]))
        if trained:
            generator = torch.Generator().manual_seed(seed)
            for key, value in adapted.named_parameters():
                if "lora_B" in key:
                    value.data.normal_(generator=generator)
        # The embedding is no target, and the base is no model of the hub: PEFT need not look there.
        adapted.save_pretrained(str(project.folder / name), save_embedding_layers=False)
        return project.folder / name

    return save


@pytest.fixture
def make_llama() -> Callable[..., Path]:
    """Write a Llama of transformers with a tokenizer beside it by their own ``save_pretrained``."""
    return _make_llama


@pytest.fixture
def llama(tmp_path: Path) -> Path:
    return _make_llama(tmp_path / "llama")


def _make_llama(folder: Path, rows: int = ROWS, **save: Any) -> Path:
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    config = LlamaConfig(
        vocab_size=rows,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=64,
        bos_token_id=None,
        eos_token_id=1,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        LlamaForCausalLM(config).save_pretrained(folder, **save)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words_tokenizer(), unk_token="<unk>", eos_token="<|endoftext|>"
    )
    tokenizer.save_pretrained(folder)
    return folder
