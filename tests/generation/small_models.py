"""Small real models with random weights: a causal one, its mask-less twin, and one of transformers with a cache."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from evalharness.models.torch.huggingface import CachedModel, call_without_cache
from evalharness.models.torch.model import UncachedModel

ROWS = 40
CONTEXT = 96


class Attention(nn.Module):
    def __init__(self, width: int, heads: int, causal: bool) -> None:
        super().__init__()
        self.heads, self.causal = heads, causal
        self.qkv = nn.Linear(width, 3 * width)
        self.out_proj = nn.Linear(width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rows, length, width = x.shape
        q, k, v = (part.view(rows, length, self.heads, -1).transpose(1, 2) for part in self.qkv(x).chunk(3, dim=-1))
        mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        return self.out_proj(mixed.transpose(1, 2).reshape(rows, length, width))


class Decoder(nn.Module):
    """Position codes, two layers of attention, a head. ``causal`` False leaves the mask out and nothing else."""

    def __init__(self, *, causal: bool = True, width: int = 32, layers: int = 2, sharpness: float = 1.0) -> None:
        super().__init__()
        self.embedding = nn.Embedding(ROWS, width)
        self.places = nn.Embedding(CONTEXT, width)
        self.layers = nn.ModuleList(Attention(width, 4, causal) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, ROWS, bias=False)
        self.sharpness = sharpness

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        x = self.embedding(ids) + self.places(torch.arange(ids.shape[1], device=ids.device))
        for layer in self.layers:
            x = x + 2 * layer(x)
        return self.sharpness * self.head(self.norm(x))


def seeded(make, seed: int = 0) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = make()
    return module.eval().requires_grad_(False)


def wrapped(module: nn.Module, context_length: int | None = CONTEXT, rows: int = ROWS) -> UncachedModel:
    return UncachedModel(module, context_length=context_length, vocabulary_rows=rows)


def decoder(*, causal: bool = True, seed: int = 0, sharpness: float = 3.0) -> UncachedModel:
    return wrapped(seeded(lambda: Decoder(causal=causal, sharpness=sharpness), seed))


def llama(rows: int = ROWS, seed: int = 0, scale: float = 8.0) -> CachedModel:
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=rows,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=CONTEXT,
        bos_token_id=None,
        eos_token_id=None,
        pad_token_id=None,
    )
    module = seeded(lambda: LlamaForCausalLM(config), seed)
    for parameter in module.parameters():
        if parameter.dim() == 2:
            parameter.mul_(scale)  # the usual initial weights make every distribution nearly uniform
    return CachedModel(module, forward=call_without_cache, context_length=CONTEXT, vocabulary_rows=rows)


def gpt2() -> CachedModel:
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(
        vocab_size=ROWS, n_positions=CONTEXT, n_embd=32, n_layer=2, n_head=4, bos_token_id=None, eos_token_id=None
    )
    module = seeded(lambda: GPT2LMHeadModel(config))
    for parameter in module.parameters():
        if parameter.dim() == 2:
            parameter.mul_(8.0)
    return CachedModel(module, forward=call_without_cache, context_length=CONTEXT, vocabulary_rows=ROWS)


class Script:
    """A model that follows a script: after ``n`` tokens comes the n-th of it, whatever was before. No torch module."""

    supports_cache = False
    device = torch.device("cpu")

    def __init__(self, tokens: list[int], *, prompt_length: int = 1, context_length: int | None = None) -> None:
        self.module = nn.Linear(1, 1)
        self.tokens = tokens
        self.prompt_length = prompt_length
        self.context_length = context_length
        self.vocabulary_rows = 1024

    def logits(self, ids: torch.Tensor) -> torch.Tensor:
        if self.context_length is not None:
            assert ids.shape[1] <= self.context_length
        logits = torch.zeros((*ids.shape, self.vocabulary_rows))
        for place in range(ids.shape[1]):
            n = place + 1 - self.prompt_length
            if 0 <= n < len(self.tokens):
                logits[:, place, self.tokens[n]] = 50.0
        return logits


class Bytes:
    """One token a byte of UTF-8, as byte-level tokenizers have it; ids from 256 on are words of several characters."""

    def __init__(self, words: tuple[str, ...] = ()) -> None:
        self.words = words
        self.vocab_size = 256 + len(words)

    def encode(self, text: str) -> list[int]:
        if "☠" in text:
            raise ValueError("the character '☠' is not in the vocabulary")
        return list(text.encode())

    def decode(self, ids) -> str:
        pieces = [bytes([i]) if i < 256 else self.words[i - 256].encode() for i in ids]
        return b"".join(pieces).decode(errors="replace")


class Letters:
    """One letter a token."""

    vocab_size = ROWS

    def encode(self, text: str) -> list[int]:
        return [(ord(c) - 48) % ROWS for c in text]

    def decode(self, ids) -> str:
        return "".join(chr(48 + i) for i in ids)
