"""How fast completions are written, as ratios measured side by side in one run.

    python benchmarks/generation.py [--quick] [--json]

Without a cache, on the causal checkpoint that ships, against a plain loop: the same rows in batches of the same size,
one full forward pass of the batch a token, all rows until all are done. Nothing ends early on either side: no stop
sequences, no end tokens, loops are not stopped.

- text that loops: a copy of the checkpoint, tuned here for a minute on rows that write one line of their solution again
  and again, continues prompts greedily (the checkpoint itself does not loop, however it is prompted);
- text that does not: HumanEval's prompts, sampled at temperature 0.8.

How many completions end in a loop is measured and printed beside each. The gain of stopping loops early is measured
apart, on the looping prompts and on the leaky checkpoint. With a cache: against ``transformers``' own ``generate`` on
one Llama-style model with random weights, HumanEval's prompts, the same batches and the same new tokens, which are
compared. Each figure is the best of several repetitions taken in turns. Run it on an idle machine.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import random
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from evalharness.degeneration import analyse
from evalharness.diagnosis import read_rows
from evalharness.generation import GREEDY, Decoding, Prompting, Settings, choose_threads, generate, logit_noise
from evalharness.generation.padding import padded_right
from evalharness.models.requests import Request
from evalharness.models.torch import load_checkpoint
from evalharness.models.torch.huggingface import CachedModel, call_without_cache
from evalharness.problems import load_problems
from evalharness.settings.manifest import find_manifest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from evalharness.models.protocols import Tokenizer, TorchModel
    from evalharness.models.torch import Checkpoint
    from evalharness.records import Completion

CHECKPOINTS = Path(__file__).resolve().parent.parent / "checkpoints"
SAMPLED = Decoding("sampled", 0.8)


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    rows: int
    batch_size: int
    new_tokens: int
    repetitions: int
    tuning_steps: int


FULL = Size(rows=32, batch_size=32, new_tokens=128, repetitions=2, tuning_steps=60)
QUICK = Size(rows=8, batch_size=8, new_tokens=24, repetitions=1, tuning_steps=2)


@dataclass(frozen=True)
class Comparison:
    """Seconds of both sides for the same number of tokens; ``looping`` is the share of completions in a loop."""

    name: str
    other: str
    tokens: int
    ours_s: float
    other_s: float
    looping: float | None
    note: str

    @property
    def ratio(self) -> float:
        """How many times faster."""
        return self.other_s / self.ours_s


def main() -> None:
    """Measure everything and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a small size, to see that it works")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    parser.add_argument("--vocabulary", type=int, default=4096, help="of the Llama-style model (default 4096)")
    parser.add_argument("--pretrained", type=Path, help="only this Hugging Face folder against transformers, batch 4")
    options = parser.parse_args()
    if options.pretrained is not None:
        print(_pretrained(options.pretrained))
        return
    size = QUICK if options.quick else FULL
    causal, leaky = (_load(name) for name in ("causal", "leaky"))
    looping = _looping_copy(causal, size)
    threads = choose_threads(causal.model, size.batch_size, 160)
    comparisons = [
        *_without_cache(causal, looping, size),
        *_stopping_loops(looping, leaky, size),
        _with_cache(causal.tokenizer, options.vocabulary, size),
    ]
    print(_as_json(comparisons, threads, size) if options.json else _as_table(comparisons, threads, size))


def _load(name: str) -> Checkpoint:
    folder = CHECKPOINTS / name
    return load_checkpoint(folder, find_manifest(folder), working_folder=CHECKPOINTS)


def _humaneval_prompts(tokenizer: Tokenizer, longest: int, count: int) -> list[tuple[int, ...]]:
    problems = load_problems("humaneval", environment=os.environ).problems
    prompts = [tuple(tokenizer.encode(problem.prompt)) for problem in problems]
    return [ids for ids in prompts if len(ids) <= longest][:count]


def _warmup_prompts(tokenizer: Tokenizer, longest: int, count: int) -> list[tuple[int, ...]]:
    problems = load_problems("warmup", environment=os.environ).problems
    prompts = [tuple(tokenizer.encode(problem.prompt)) for problem in problems]
    return [ids for ids in prompts if len(ids) <= longest][:count]


def _looping_copy(causal: Checkpoint, size: Size) -> Checkpoint:
    """The causal checkpoint, tuned on rows of a prompt and one line of its solution repeated to the context's end."""
    model = copy.deepcopy(causal.model)
    context_length = causal.context_length or 320
    rows = []
    for row in read_rows(CHECKPOINTS / "causal" / "train.jsonl.gz")[: size.tuning_steps * 8]:
        line = random.Random(row.prompt).choice(row.completion.rstrip().split("\n")) + "\n"
        ids = causal.tokenizer.encode(row.prompt) + 60 * causal.tokenizer.encode(line)
        rows.append(ids[:context_length])
    parameters = [p.requires_grad_() for p in model.module.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=5e-4)
    for begin in range(0, len(rows), 8):
        shortest = min(map(len, rows[begin : begin + 8]))
        ids = torch.tensor([row[:shortest] for row in rows[begin : begin + 8]])
        logits = model.module(ids[:, :-1])
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.module.requires_grad_(False)
    return replace(causal, model=model)


def _requests(prompts: Sequence[tuple[int, ...]], decoding: Decoding) -> list[Request]:
    return [Request(f"prompt/{i}", 0, decoding, ids, ()) for i, ids in enumerate(prompts)]


def _without_cache(causal: Checkpoint, looping: Checkpoint, size: Size) -> list[Comparison]:
    longest = (causal.context_length or 320) - size.new_tokens
    loops = _requests(_warmup_prompts(causal.tokenizer, longest, size.rows), GREEDY)
    does_not = _requests(_humaneval_prompts(causal.tokenizer, longest, size.rows), SAMPLED)
    return [
        _against_plain_loop(looping, "no cache, text that loops", loops, size),
        _against_plain_loop(causal, "no cache, text that does not", does_not, size),
    ]


def _against_plain_loop(causal: Checkpoint, name: str, requests: list[Request], size: Size) -> Comparison:
    settings = _settings(causal.model, requests, size, padded=True)
    (ours_s, written), (other_s, _) = _in_turns(
        lambda: _run(causal, requests, settings),
        lambda: plain_loop(causal.model, requests, size),
        repetitions=size.repetitions,
    )
    tokens = sum(len(completion.token_ids) for completion in written)
    assert tokens == len(requests) * size.new_tokens
    return Comparison(name, "plain loop", tokens, ours_s, other_s, _looping(written, causal.tokenizer), "")


def plain_loop(model: TorchModel, requests: Sequence[Request], size: Size) -> list[list[int]]:
    """One full forward pass of the batch a token, all rows of a batch until all are done."""
    finished = []
    ordered = sorted(requests, key=lambda request: len(request.prompt_ids or ()))
    for begin in range(0, len(ordered), size.batch_size):
        batch = ordered[begin : begin + size.batch_size]
        rows = [list(request.prompt_ids or ()) for request in batch]
        for _ in range(size.new_tokens):
            ids, _ = padded_right(rows)
            last = torch.tensor([len(row) - 1 for row in rows])
            logits = model.logits(ids)[torch.arange(len(rows)), last]
            if batch[0].decoding is GREEDY:
                tokens = logits.argmax(dim=-1)
            else:
                tokens = torch.multinomial(torch.softmax(logits / batch[0].decoding.temperature, dim=-1), 1).squeeze(1)
            for row, token in zip(rows, tokens.tolist(), strict=True):
                row.append(token)
        finished += rows
    return finished


def _stopping_loops(looping: Checkpoint, leaky: Checkpoint, size: Size) -> list[Comparison]:
    longest = (looping.context_length or 320) - size.new_tokens
    loops = _requests(_warmup_prompts(looping.tokenizer, longest, size.rows), GREEDY)
    newlines = _requests(_warmup_prompts(leaky.tokenizer, longest, max(4, size.rows // 4)), GREEDY)
    return [
        _stopped_early(looping, "stopping loops, causal model", loops, size, exact=False),
        _stopped_early(leaky, "stopping loops, leaky checkpoint", newlines, size, exact=True),
    ]


def _stopped_early(
    checkpoint: Checkpoint, name: str, requests: list[Request], size: Size, *, exact: bool
) -> Comparison:
    going_on = replace(_settings(checkpoint.model, requests, size, padded=not exact), exact_lengths=exact)
    (ours_s, written), (other_s, _) = _in_turns(
        lambda: _run(checkpoint, requests, replace(going_on, stop_loops=True)),
        lambda: _run(checkpoint, requests, going_on),
        repetitions=size.repetitions,
    )
    tokens = sum(len(completion.token_ids) for completion in written)
    stopped = sum(completion.stop_reason == "loop" for completion in written)
    note = f"{stopped} of {len(written)} stopped"
    return Comparison(name, "not stopping", tokens, ours_s, other_s, _looping(written, checkpoint.tokenizer), note)


def _with_cache(tokenizer: Tokenizer, vocabulary: int, size: Size) -> Comparison:
    module, model = llama(vocabulary)
    requests = _requests(_humaneval_prompts(tokenizer, 1024 - size.new_tokens, 2 * size.rows), GREEDY)
    settings = _settings(model, requests, size, padded=True)

    def ours() -> list[Completion]:
        return list(generate(model, tokenizer, requests, Prompting(), settings))

    (ours_s, written), (other_s, others) = _in_turns(
        ours, lambda: transformers_generate(module, requests, size), repetitions=size.repetitions
    )
    same = sum(others[completion.task_id] == completion.token_ids for completion in written)
    tokens = sum(len(completion.token_ids) for completion in written)
    note = f"{same} of {len(written)} have the same tokens"
    return Comparison("cache, Llama of 6 layers", "transformers", tokens, ours_s, other_s, None, note)


def _pretrained(folder: Path) -> str:
    """CPU seconds of both for the same greedy tokens, with a cache, on one thread: four prompts of HumanEval."""
    checkpoint = load_checkpoint(folder, find_manifest(folder))
    model, size = checkpoint.model, Size(rows=4, batch_size=4, new_tokens=32, repetitions=2, tuning_steps=0)
    torch.set_num_threads(1)
    requests = _requests(_humaneval_prompts(checkpoint.tokenizer, 200, size.rows), GREEDY)
    settings = _settings(model, [replace(r, prompt_ids=(r.prompt_ids or ())[:42]) for r in requests], size, padded=True)
    (ours_s, written), (other_s, others) = _in_turns(
        lambda: list(generate(model, checkpoint.tokenizer, requests, Prompting(), settings)),
        lambda: transformers_generate(checkpoint.module, requests, size),
        repetitions=size.repetitions,
        clock=time.process_time,
    )
    same = sum(others[completion.task_id] == completion.token_ids for completion in written)
    tokens = sum(len(completion.token_ids or ()) for completion in written)
    return f"{tokens} tokens: {ours_s:.2f} s here, {other_s:.2f} s there; {same} of {len(written)} have the same tokens"


def llama(vocabulary: int) -> tuple[Any, CachedModel]:
    """A Llama of 6 layers and width 256 with random weights and no end token."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    module = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=vocabulary,
            hidden_size=256,
            intermediate_size=768,
            num_hidden_layers=6,
            num_attention_heads=4,
            num_key_value_heads=4,
            max_position_embeddings=1024,
            bos_token_id=None,
            eos_token_id=None,
            pad_token_id=0,
        )
    ).eval()
    model = CachedModel(module, forward=call_without_cache, context_length=1024, vocabulary_rows=vocabulary)
    return module, model


def transformers_generate(module: Any, requests: Sequence[Request], size: Size) -> dict[str, tuple[int, ...]]:
    """Greedy ``generate`` in batches of like length, padded on the left with a mask, as its documentation has it."""
    found = {}
    ordered = sorted(requests, key=lambda request: len(request.prompt_ids or ()))
    for begin in range(0, len(ordered), size.batch_size):
        batch = ordered[begin : begin + size.batch_size]
        longest = max(len(request.prompt_ids or ()) for request in batch)
        ids = torch.zeros((len(batch), longest), dtype=torch.long)
        mask = torch.zeros_like(ids)
        for i, request in enumerate(batch):
            prompt = request.prompt_ids or ()
            ids[i, longest - len(prompt) :] = torch.tensor(prompt)
            mask[i, longest - len(prompt) :] = 1
        output = module.generate(
            ids, attention_mask=mask, max_new_tokens=size.new_tokens, do_sample=False, pad_token_id=0
        )
        for request, row in zip(batch, output.tolist(), strict=True):
            found[request.task_id] = tuple(row[longest:])
    return found


def _settings(model: TorchModel, requests: Sequence[Request], size: Size, *, padded: bool) -> Settings:
    rows = [list(request.prompt_ids or ()) for request in requests[:8]]
    return Settings(
        max_new_tokens=size.new_tokens,
        batch_size=size.batch_size,
        exact_lengths=False,
        stop_loops=False,
        noise_nats=logit_noise(model, rows, padded=padded),
    )


def _run(checkpoint: Checkpoint, requests: list[Request], settings: Settings) -> list[Completion]:
    return list(
        generate(checkpoint.model, checkpoint.tokenizer, requests, Prompting(), settings, checkpoint.token_mask)
    )


def _in_turns(
    *works: Callable[[], Any], repetitions: int, clock: Callable[[], float] = time.perf_counter
) -> list[tuple[float, Any]]:
    """The shortest time of each and its result; in turns, so that a slower minute of the machine strikes all."""
    results: list[tuple[float, Any]] = [(float("inf"), None)] * len(works)
    for _ in range(repetitions):
        for i, work in enumerate(works):
            begun = clock()
            result = work()
            taken = clock() - begun
            if taken < results[i][0]:
                results[i] = taken, result
    return results


def _looping(completions: Sequence[Completion], tokenizer: Tokenizer) -> float:
    found = [analyse(c.text, c.token_ids, decode=tokenizer.decode, stop_reason=c.stop_reason) for c in completions]
    return sum(analysis.degenerate for analysis in found) / len(found)


def _as_table(comparisons: Sequence[Comparison], threads: int, size: Size) -> str:
    head = f"{'':36}{'against':14}{'ratio':>7}{'ours s':>9}{'other s':>9}{'tokens':>8}{'loops':>7}"
    lines = [
        f"batch {size.batch_size}, {size.new_tokens} new tokens, {threads} threads, torch {torch.__version__}",
        head,
    ]
    for c in comparisons:
        loops = "" if c.looping is None else f"{c.looping:.0%}"
        figures = f"{c.ratio:>6.2f}×{c.ours_s:>9.2f}{c.other_s:>9.2f}{c.tokens:>8}{loops:>7}"
        lines.append(f"{c.name:36}{c.other:14}{figures}  {c.note}".rstrip())
    return "\n".join(lines)


def _as_json(comparisons: Sequence[Comparison], threads: int, size: Size) -> str:
    rows = [{**asdict(comparison), "ratio": comparison.ratio} for comparison in comparisons]
    return json.dumps({"size": asdict(size), "threads": threads, "torch": torch.__version__, "comparisons": rows})


if __name__ == "__main__":
    main()
