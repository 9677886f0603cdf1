"""Models of two families that are trained in seconds on code of one kind, soundly or with a fault built in.

``plain`` is a decoder of one's own code, ``llama`` a small Hugging Face model from a configuration; both read
characters.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import torch
from leak_models import causal
from torch import nn
from torch.nn import functional

from evalharness.diagnosis.data.rows import DataRow, TokenRow, tokenize
from evalharness.diagnosis.subject import Split, Subject
from evalharness.models.torch.model import UncachedModel

CONTEXT = 96
PAD, END = 97, 96
VOCABULARY = 98
"""Printable ASCII is 0 to 94, the line end 95, then the end token and the padding."""


class Characters:
    """One token a character; the end token and the padding are shown as what they are called."""

    vocab_size = VOCABULARY

    def encode(self, text: str) -> list[int]:
        return [95 if c == "\n" else ord(c) - 32 for c in text if c == "\n" or " " <= c <= "~"]

    def decode(self, ids) -> str:
        return "".join({95: "\n", END: "<end>", PAD: "<pad>"}.get(int(i), chr(int(i) + 32)) for i in ids)


def data_rows(count: int, seed: int) -> list[DataRow]:
    """Functions of two lines: a signature with a question, and a body that answers it."""
    rng = Random(seed)
    names = ["add", "sub", "mul", "low", "top", "mean", "twice", "last"]
    rows = []
    for _ in range(count):
        name, a, b = rng.choice(names), *rng.sample("abcxyznmpq", 2)
        body = {
            "add": f"{a} + {b}", "sub": f"{a} - {b}", "mul": f"{a} * {b}", "low": f"min({a}, {b})",
            "top": f"max({a}, {b})", "mean": f"({a} + {b}) / 2", "twice": f"{a} + {a}", "last": f"{b}",
        }[name]  # fmt: skip
        rows.append(DataRow(f"def {name}({a}, {b}):\n", f"    return {body}\n"))
    return rows


def encoded(rows: list[DataRow], *, count_prompt: bool = True, end: bool = False) -> tuple[TokenRow, ...]:
    """The rows as ids, as ``tokenize`` gives them; with the end token after each where asked for."""
    found = tokenize(rows, Characters(), context_length=CONTEXT, begin=(), count_prompt=count_prompt)
    if end:
        found = [TokenRow((*r.ids, END)[:CONTEXT], r.first_target, r.prompt_tokens, r.row, r.tokens + 1) for r in found]
    return tuple(found)


class Layer(nn.Module):
    def __init__(self, width: int, mask: Callable[[int], torch.Tensor]):
        super().__init__()
        self.norm_1, self.norm_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out_proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        self.mask, self.heads = mask, 4

    def forward(self, x):
        rows, length, width = x.shape
        q, k, v = (
            part.view(rows, length, self.heads, -1).transpose(1, 2) for part in self.qkv(self.norm_1(x)).chunk(3, -1)
        )
        mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=self.mask(length))
        x = x + self.out_proj(mixed.transpose(1, 2).reshape(rows, length, width))
        return x + self.mlp(self.norm_2(x))


class Plain(nn.Module):
    """A decoder of two layers. ``mask(length)`` says which positions see which."""

    def __init__(self, mask: Callable[[int], torch.Tensor] = causal, width: int = 64, layers: int = 2):
        super().__init__()
        self.embedding, self.places = nn.Embedding(VOCABULARY, width), nn.Embedding(CONTEXT, width)
        self.layers = nn.ModuleList(Layer(width, mask) for _ in range(layers))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, VOCABULARY)

    def forward(self, ids):
        x = self.embedding(ids) + self.places(torch.arange(ids.shape[1], device=ids.device))
        for layer in self.layers:
            x = layer(x)
        return self.head(self.norm(x))


def plain(mask: Callable[[int], torch.Tensor] = causal) -> nn.Module:
    return Plain(mask)


def llama() -> nn.Module:
    from transformers import LlamaConfig, LlamaForCausalLM

    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=VOCABULARY, hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4,
            max_position_embeddings=CONTEXT, pad_token_id=PAD, bos_token_id=None, eos_token_id=END,
        )
    )  # fmt: skip


FAMILIES: dict[str, Callable[[], nn.Module]] = {"plain": plain, "llama": llama}


def logits_of(module: nn.Module, ids: torch.Tensor) -> torch.Tensor:
    output = module(ids)
    return output if isinstance(output, torch.Tensor) else output.logits


def train(
    module: nn.Module,
    rows: tuple[TokenRow, ...],
    *,
    steps: int = 300,
    shift: int = 1,
    count_padding: bool = False,
    smoothing: float = 0.0,
    rate: float = 3e-3,
    seed: int = 0,
) -> float:
    """Train on batches of 16 padded rows and return the last loss (nats) as the loop would log it.

    ``shift`` 1 is right; 0 compares each position with its own input, 2 skips a token.
    """
    torch.manual_seed(seed)
    rng, loss = Random(seed), torch.tensor(0.0)
    optimizer = torch.optim.AdamW(module.parameters(), lr=rate)
    module.train()
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = rate * min(1.0, (step + 1) / 20) * (1 - 0.9 * step / steps)
        ids, targets = batch(rng.sample(rows, min(16, len(rows))), shift=shift, count_padding=count_padding)
        loss = functional.cross_entropy(
            logits_of(module, ids).flatten(0, 1), targets.flatten(), ignore_index=-100, label_smoothing=smoothing
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    module.eval().requires_grad_(requires_grad=False)
    return float(loss.detach())


def batch(rows, *, shift: int = 1, count_padding: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
    """Inputs and targets of shape ``(rows, length)``; -100 where a target does not count.

    Padded to the context where padding counts, else to the longest row: what does not count costs time alone.
    """
    length = CONTEXT if count_padding else max(len(row.ids) for row in rows)
    ids = torch.full((len(rows), length), PAD)
    targets = torch.full((len(rows), length), PAD if count_padding else -100)
    for i, row in enumerate(rows):
        ids[i, : len(row.ids)] = torch.tensor(row.ids)
        first = max(0, row.first_target - shift)
        targets[i, first : len(row.ids) - shift] = torch.tensor(row.ids[first + shift :])
    return ids, targets


def trained_without_padding(module: nn.Module, rows: tuple[TokenRow, ...], steps: int) -> nn.Module:
    """Train on rows of one length at a time, as they are."""
    torch.manual_seed(0)
    by_length: dict[int, list] = {}
    for row in rows:
        by_length.setdefault(len(row.ids), []).append(row.ids)
    groups, rng = list(by_length.values()), Random(0)
    optimizer = torch.optim.AdamW(module.parameters(), lr=3e-3)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = 3e-3 * min(1.0, (step + 1) / 20) * (1 - 0.9 * step / steps)
        ids = torch.tensor(rng.choice(groups))
        loss = functional.cross_entropy(logits_of(module, ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return module.eval().requires_grad_(False)


def wrapped(module: nn.Module) -> UncachedModel:
    """The module as generation and diagnosis see it."""
    return UncachedModel(module.eval(), context_length=CONTEXT, vocabulary_rows=VOCABULARY)


def subject(module: nn.Module, *, end: bool = False, count_prompt: bool = True, **more) -> Subject:
    """A trained module with rows that it was trained and validated on."""
    splits = {}
    for name, seed in (("train", 1), ("validation", 2)):
        rows = data_rows(200, seed)
        splits[name] = Split(tuple(rows), encoded(rows, count_prompt=count_prompt, end=end), f"{name}.jsonl")
    return Subject(wrapped(module), Characters(), end_ids=frozenset({END}), **{**splits, **more})
