"""https://github.com/axolotl-ai-cloud/axolotl/pull/2287: the last end token of a conversation is not in its labels, so
that a model that is tuned on single turns never learns to stop.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from batches import IGNORED, Batch, padded
from rows import drawn
from small_tokenizer import Encoded, apart
from trainer_run import fast_tokenizer, ids_of, pretrained, run_trainer
from where import folder_given

TURN_ENDS = "<|im_end|>"
TURN_BEGINS = ["<|user|>", "<|assistant|>"]
TEMPLATE = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] + eos_token }}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def messages(row):
    """A row as a conversation."""
    return [{"role": "user", "content": row.prompt}, {"role": "assistant", "content": row.completion}]


def write_chats(path, rows):
    """One conversation a line."""
    path.write_text("".join(json.dumps({"messages": messages(row)}) + "\n" for row in rows), encoding="utf-8")


def chat(tokenizer, row):
    """A conversation as ids, and how many of them come before the answer."""
    texts = (
        tokenizer.apply_chat_template(messages(row), tokenize=False),
        tokenizer.apply_chat_template(messages(row)[:1], tokenize=False, add_generation_prompt=True),
    )
    whole, prompt = (ids_of(tokenizer)(text) for text in texts)
    return Encoded(tuple(whole), len(prompt))


if __name__ == "__main__":
    folder, plain, data = folder_given(__file__), drawn(), drawn(1200, 100, seed=5)
    tokenizer = fast_tokenizer(plain.train)
    model = pretrained(plain, tokenizer, steps=100)
    tokenizer.add_special_tokens({"eos_token": TURN_ENDS, "extra_special_tokens": TURN_BEGINS})
    tokenizer.chat_template = TEMPLATE
    model.config.eos_token_id = model.generation_config.eos_token_id = tokenizer.eos_token_id
    write_chats(folder / "train.jsonl", data.train)
    write_chats(folder / "validation.jsonl", data.validation)
    (folder / "evalharness.toml").write_text('[data]\ntrain = "train.jsonl"\nvalidation = "validation.jsonl"\n')
    rows = [*data.train, *data.validation]
    encoded = apart(ids_of(tokenizer), rows)
    as_chat = {own.ids: chat(tokenizer, row) for own, row in zip(encoded, rows, strict=True)}

    def without_last_end(given):
        made = padded([as_chat[own.ids] for own in given], count_prompt=False)
        labels = made.labels.masked_fill(made.ids == tokenizer.eos_token_id, IGNORED)
        return Batch(made.ids, labels, made.prompt_tokens)

    run_trainer(folder, model, tokenizer, data, steps=200, batch=without_last_end)
