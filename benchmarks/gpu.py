"""What a GPU changes, in under ten minutes on one card: determinism by batch, memory, speed, the honest loss.

    python benchmarks/gpu.py                  a shape of half a billion parameters, on the first GPU
    python benchmarks/gpu.py --tiny           a tiny shape, on the CPU: whether this program still runs

The model has random weights and the shape of Qwen2.5-0.5B. In float32 completions must be the same alone and in
batches. Speed is tokens a second with a cache, beside ``transformers``' own ``generate``, and beside vLLM where it is
installed (on the same weights, with greedy decoding and no end). The honest loss must be the parallel one within
rounding, for the model is causal. Exits with 1 if completions or losses differ.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from evalharness.diagnosis.data.rows import TokenRow
from evalharness.diagnosis.losses.honest import paired_loss
from evalharness.diagnosis.losses.token_losses import token_losses
from evalharness.generation import GREEDY, Decoding, Prompting, Settings, generate, logit_noise
from evalharness.models.requests import Request
from evalharness.models.torch.huggingface import CachedModel, call_without_cache

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalharness.records import Completion

CONTEXT = 1024
TOLERABLE_NATS = 1e-3


@dataclass(frozen=True)
class Size:
    """A model's shape, and how much is measured."""

    layers: int
    width: int
    heads: int
    key_heads: int
    inner: int
    vocabulary: int
    prompts: int
    new_tokens: int
    rows: int
    targets: int


HALF_BILLION = Size(24, 896, 14, 2, 4864, 151_936, 32, 128, 16, 256)
TINY = Size(2, 64, 4, 2, 128, 256, 4, 8, 3, 16)


@dataclass(frozen=True)
class Measured:
    """What came of it; ``None`` where there is nothing to compare with."""

    card: str
    date: str
    torch: str
    parameters: int
    completions: int
    same_alone_and_in_batches: int
    peak_gib: float | None
    tokens_per_s: float
    transformers_tokens_per_s: float
    vllm_tokens_per_s: float | None
    parallel_nats: float
    honest_nats: float

    @property
    def is_right(self) -> bool:
        """Whether completions and losses are what they must be."""
        is_honest = abs(self.honest_nats - self.parallel_nats) <= TOLERABLE_NATS
        return self.same_alone_and_in_batches == self.completions and is_honest


class Ids:
    """A tokenizer with a character for each id."""

    def __init__(self, size: Size) -> None:
        self.vocab_size = size.vocabulary

    def encode(self, text: str) -> list[int]:
        """The id of each character."""
        return [ord(character) - 0x100 for character in text]

    def decode(self, ids: Sequence[int]) -> str:
        """The character of each id."""
        return "".join(chr(i + 0x100) for i in ids)


def make(size: Size, device: str) -> Any:
    """The module with random weights and no end token."""
    from transformers import Qwen2Config, Qwen2ForCausalLM

    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=size.vocabulary,
        hidden_size=size.width,
        intermediate_size=size.inner,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        num_key_value_heads=size.key_heads,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=None,
        pad_token_id=0,
    )
    return Qwen2ForCausalLM(config).to(device).eval().requires_grad_(False)


def prompts(size: Size) -> list[tuple[int, ...]]:
    """Prompts of different lengths, of random ids."""
    drawn = torch.Generator().manual_seed(1)
    longest = min(256, CONTEXT - size.new_tokens)
    lengths = [8 + (longest - 8) * i // max(1, size.prompts - 1) for i in range(size.prompts)]
    return [tuple(torch.randint(1, size.vocabulary, (n,), generator=drawn).tolist()) for n in lengths]


def written(model: CachedModel, size: Size, batch_size: int, *decodings: Decoding) -> tuple[list[Completion], float]:
    """A completion of each prompt in each way, and the seconds that they took."""
    asked = prompts(size)
    rows = [list(prompt) for prompt in asked[:4]]
    settings = Settings(
        size.new_tokens,
        batch_size,
        exact_lengths=False,
        stop_loops=False,
        noise_nats=logit_noise(model, rows, padded=True),
    )
    requests = [Request(str(i), 0, way, prompt, ()) for way in decodings for i, prompt in enumerate(asked)]
    begun = time.perf_counter()
    made = list(generate(model, Ids(size), requests, Prompting(), settings))
    return sorted(made, key=lambda c: (c.decoding, int(c.task_id))), time.perf_counter() - begun


def transformers_s(module: Any, size: Size) -> float:
    """Seconds of greedy ``generate`` for the same prompts in one batch, padded on the left."""
    asked = prompts(size)
    longest = max(map(len, asked))
    ids = torch.tensor([[0] * (longest - len(prompt)) + list(prompt) for prompt in asked], device=module.device)
    begun = time.perf_counter()
    module.generate(
        ids, attention_mask=(ids > 0).long(), max_new_tokens=size.new_tokens, do_sample=False, pad_token_id=0
    )
    return time.perf_counter() - begun


def vllm_s(module: Any, size: Size) -> float | None:
    """Seconds of vLLM for the same prompts; None where it is not installed."""
    try:
        from vllm import LLM, SamplingParams
    except ImportError:
        return None
    with tempfile.TemporaryDirectory() as folder:
        module.save_pretrained(folder)
        engine = LLM(
            folder, skip_tokenizer_init=True, dtype="float32", max_model_len=CONTEXT, gpu_memory_utilization=0.5
        )
        how = SamplingParams(temperature=0, max_tokens=size.new_tokens, ignore_eos=True, detokenize=False)
        asked = [{"prompt_token_ids": list(prompt)} for prompt in prompts(size)]
        engine.generate(asked[:1], how)
        begun = time.perf_counter()
        engine.generate(asked, how)
        return time.perf_counter() - begun


def measure(size: Size, device: str) -> Measured:
    module = make(size, device)
    model = CachedModel(module, forward=call_without_cache, context_length=CONTEXT, vocabulary_rows=size.vocabulary)
    both = (GREEDY, Decoding("sampled", 0.8))
    together, _ = written(model, size, size.prompts, *both)
    alone, _ = written(model, size, 1, *both)
    if device != "cpu":
        torch.cuda.reset_peak_memory_stats()
    made, ours_s = written(model, size, size.prompts, GREEDY)
    peak = None if device == "cpu" else torch.cuda.max_memory_allocated() / 2**30
    tokens = sum(len(c.token_ids or ()) for c in made)
    transformers_s(module, size)  # the first one starts up
    theirs_s = transformers_s(module, size)
    rows = tuple(TokenRow(prompt, 1, 0, i, len(prompt)) for i, prompt in enumerate(prompts(size)[: size.rows]))
    loss = paired_loss(model, token_losses(model, rows, ()), targets=size.targets)
    engine_s = vllm_s(module, size)
    return Measured(
        card="CPU" if device == "cpu" else torch.cuda.get_device_name(0),
        date=dt.datetime.now(tz=dt.UTC).date().isoformat(),
        torch=torch.__version__,
        parameters=sum(weight.numel() for weight in module.parameters()),
        completions=len(together),
        same_alone_and_in_batches=sum(a.token_ids == b.token_ids for a, b in zip(together, alone, strict=True)),
        peak_gib=peak,
        tokens_per_s=tokens / ours_s,
        transformers_tokens_per_s=size.prompts * size.new_tokens / theirs_s,
        vllm_tokens_per_s=None if engine_s is None else size.prompts * size.new_tokens / engine_s,
        parallel_nats=loss.parallel_nats.estimate,
        honest_nats=loss.honest_nats.estimate,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--out", type=Path, help="write the figures here as JSON")
    asked = parser.parse_args()
    if not asked.tiny and not torch.cuda.is_available():
        sys.exit("no GPU is at hand: --tiny runs a tiny shape on the CPU")
    found = measure(TINY if asked.tiny else HALF_BILLION, "cpu" if asked.tiny else "cuda")
    figures = json.dumps(asdict(found), indent=2)
    print(figures)
    if asked.out is not None:
        asked.out.write_text(figures + "\n")
    sys.exit(0 if found.is_right else 1)


if __name__ == "__main__":
    main()
