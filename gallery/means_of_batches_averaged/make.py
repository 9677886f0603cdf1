"""https://github.com/huggingface/blog/pull/2414: with gradient accumulation the loss of a step is the mean of the means
of its small batches, and not the mean over all tokens, so that it differs from that of one large batch.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import math
from random import Random

import torch
from batches import IGNORED, in_order, padded
from plain_run import SMALL_GPT, built, write_code, write_manifest
from rows import NOUNS, Data, Row, drawn, write_rows
from small_tokenizer import END, apart, trained_tokenizer
from torch.nn import functional
from training_loop import LINES, WARM_UP, Logged, lines_of
from where import folder_given

STEPS, ACCUMULATED, IN_BATCH, RATE = 300, 8, 2, 4e-3


def with_short_answers(rows, rng):
    """Behind each row one whose answer is short and hard to guess."""
    short = [Row(f"Item {rng.randint(1, 999)}:", f" {rng.choice(NOUNS)}\n", "", "") for _ in rows]
    return [row for pair in zip(rows, short, strict=True) for row in pair]


def mean_loss(module, rows):
    """The mean over the answers' tokens of a batch."""
    batch = padded(rows, count_prompt=False)
    logits = module(batch.inputs)
    return functional.cross_entropy(logits.flatten(0, 1), batch.targets.flatten(), ignore_index=IGNORED)


@torch.no_grad()
def validated(module, rows):
    """The mean over all tokens: each batch by its number of targets."""
    batches = in_order(rows)
    counts = [padded(batch, count_prompt=False).counted for batch in batches]
    sums = [mean_loss(module, batch).item() * count for batch, count in zip(batches, counts, strict=True)]
    return sum(sums) / sum(counts)


def accumulated(module, rows, validation):
    """Each step adds up small batches, and logs the mean of their means."""
    rng, lines = Random(0), []
    optimizer = torch.optim.AdamW(module.parameters(), lr=RATE, weight_decay=0.01)
    for step in range(1, STEPS + 1):
        for group in optimizer.param_groups:
            group["lr"] = RATE * min(1.0, step / WARM_UP) * (0.55 + 0.45 * math.cos(math.pi * step / STEPS))
        optimizer.zero_grad()
        total = 0.0
        for _ in range(ACCUMULATED):
            loss = mean_loss(module, rng.sample(rows, IN_BATCH)) / ACCUMULATED
            loss.backward()
            total += loss.item()
        torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        optimizer.step()
        if step % (STEPS // LINES) == 0:
            lines.append(Logged(step, total, validated(module, validation)))
    return lines


if __name__ == "__main__":
    folder, plain, rng = folder_given(__file__), drawn(1000, 60), Random(0)
    data = Data(with_short_answers(plain.train, rng), with_short_answers(plain.validation, rng))
    tokenizer = trained_tokenizer(data.train)
    tokenizer.save(str(folder / "tokenizer.json"))
    write_code(folder, SMALL_GPT)
    write_rows(folder / "train.jsonl", data.train)
    write_rows(folder / "validation.jsonl", data.validation)
    rows, validation = (apart(lambda text: tokenizer.encode(text).ids, own) for own in (data.train, data.validation))
    vocabulary = tokenizer.get_vocab_size()
    module = built(folder / SMALL_GPT.name, vocabulary=vocabulary)
    log = accumulated(module, rows, validation)
    torch.save({"model": module.state_dict(), "step": STEPS}, folder / f"step_{STEPS}.pt")
    (folder / "train.log").write_text("\n".join(lines_of(log, STEPS)) + "\n", encoding="utf-8")
    write_manifest(folder, SMALL_GPT, vocabulary, [f'tokenizer = "tokenizer.json"\nend_tokens = "{END}"'])
