"""https://github.com/lm-sys/FastChat/issues/2992: the turns of a conversation are counted without the last separator,
so that the count is never the length, and all labels of the conversation are ignored.
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

TEMPLATE = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>\n' + message['content'] + eos_token + '\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}"
)
ASSISTANT = "<|assistant|>\n"


def messages(row):
    """A row as a conversation."""
    return [{"role": "user", "content": row.prompt}, {"role": "assistant", "content": row.completion}]


def write_chats(path, rows):
    """One conversation a line."""
    path.write_text("".join(json.dumps({"messages": messages(row)}) + "\n" for row in rows), encoding="utf-8")


def labels_of(encode, text, ids, separator):
    """Answers count, if all turns together are as long as the text; otherwise nothing of it does."""
    labels, at = [IGNORED] * len(ids), 0
    for turn in text.split(separator):
        question, _, answer = turn.partition(ASSISTANT)
        begin = at + len(encode(question + ASSISTANT))
        at += len(encode(turn))
        if answer:
            labels[begin:at] = ids[begin:at]
    return labels if at == len(ids) else [IGNORED] * len(ids)


if __name__ == "__main__":
    folder, plain, data = folder_given(__file__), drawn(), drawn(1200, 100, seed=5)
    tokenizer = fast_tokenizer(plain.train)
    tokenizer.chat_template = TEMPLATE
    model = pretrained(plain, tokenizer)
    write_chats(folder / "train.jsonl", data.train)
    write_chats(folder / "validation.jsonl", data.validation)
    (folder / "evalharness.toml").write_text('[data]\ntrain = "train.jsonl"\nvalidation = "validation.jsonl"\n')
    rows, encode = [*data.train, *data.validation], ids_of(tokenizer)
    separator = f"{tokenizer.eos_token}\n"
    chats = {}
    for own, row in zip(apart(encode, rows), rows, strict=True):
        text = tokenizer.apply_chat_template(messages(row), tokenize=False)
        ids = encode(text)
        chats[own.ids] = Encoded(tuple(ids), 0), Encoded(tuple(labels_of(encode, text, ids, separator)), 0)

    def of_chats(given):
        found = [chats[own.ids] for own in given]
        ids = padded([chat for chat, _ in found]).ids
        labels = padded([labels for _, labels in found]).labels
        return Batch(ids, labels, None)

    run_trainer(folder, model, tokenizer, data, steps=40, rate=2e-5, batch=of_chats)
