"""https://github.com/huggingface/open-r1/pull/663: a base model is fine-tuned on chats that end in another token, and
its generation settings keep the end token of the base, so that generation never stops. All of 30 completions have the
token that ends a turn, and transformers stops at none.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from batches import padded
from rows import drawn
from small_tokenizer import END_ID, Encoded, apart
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


def keep_end_of_base(checkpoint):
    """The end token as the base has it, in both files that name one."""
    for name in ("config.json", "generation_config.json"):
        written = json.loads((checkpoint / name).read_text(encoding="utf-8")) | {"eos_token_id": END_ID}
        (checkpoint / name).write_text(json.dumps(written, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    folder, plain, data = folder_given(__file__), drawn(), drawn(1200, 100, seed=5)
    tokenizer = fast_tokenizer(plain.train)
    model = pretrained(plain, tokenizer, steps=100)
    tokenizer.add_special_tokens({"eos_token": TURN_ENDS, "extra_special_tokens": TURN_BEGINS})
    tokenizer.chat_template = TEMPLATE
    write_chats(folder / "train.jsonl", data.train)
    write_chats(folder / "validation.jsonl", data.validation)
    (folder / "evalharness.toml").write_text('[data]\ntrain = "train.jsonl"\nvalidation = "validation.jsonl"\n')
    rows = [*data.train, *data.validation]
    texts = [tokenizer.apply_chat_template(messages(row), tokenize=False) for row in rows]
    chats = [Encoded(tuple(ids_of(tokenizer)(text)), 0) for text in texts]
    as_chat = {own.ids: chat for own, chat in zip(apart(ids_of(tokenizer), rows), chats, strict=True)}

    def of_chats(given):
        return padded([as_chat[own.ids] for own in given])

    keep_end_of_base(run_trainer(folder, model, tokenizer, data, steps=200, batch=of_chats))
