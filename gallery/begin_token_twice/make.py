"""https://github.com/OpenRLHF/OpenRLHF/issues/393: the chat template writes a begin token and the tokenizer another
one, so that training has two and a conversation that is encoded at once has one.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from batches import padded
from rows import drawn
from small_tokenizer import Encoded, apart
from tokenizers.processors import TemplateProcessing
from trainer_run import fast_tokenizer, ids_of, run_trainer, small_llama
from where import folder_given

BEGIN = "<|begin|>"
TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}### {{ message['role'] }}:\n{{ message['content'] }}"
    "{% if message['role'] == 'assistant' %}{{ eos_token }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}### assistant:\n{% endif %}"
)


def messages(row):
    """A row as a conversation."""
    return [{"role": "user", "content": row.prompt}, {"role": "assistant", "content": row.completion}]


def tokenizer_of_chats(rows):
    """A tokenizer that puts a begin token before each text, with a template that does so, too."""
    made = fast_tokenizer(rows)
    made.add_special_tokens({"bos_token": BEGIN})
    begin = (BEGIN, made.bos_token_id)
    made.backend_tokenizer.post_processor = TemplateProcessing(single=f"{BEGIN} $A", special_tokens=[begin])
    made.chat_template = TEMPLATE
    return made


def write_chats(path, rows):
    """One conversation a line."""
    path.write_text("".join(json.dumps({"messages": messages(row)}) + "\n" for row in rows), encoding="utf-8")


if __name__ == "__main__":
    folder, data = folder_given(__file__), drawn()
    tokenizer = tokenizer_of_chats(data.train)
    write_chats(folder / "train.jsonl", data.train)
    write_chats(folder / "validation.jsonl", data.validation)
    (folder / "evalharness.toml").write_text('[data]\ntrain = "train.jsonl"\nvalidation = "validation.jsonl"\n')
    rows = [*data.train, *data.validation]
    texts = [tokenizer.apply_chat_template(messages(row), tokenize=False) for row in rows]
    trained = [Encoded(tuple(ids), 0) for ids in tokenizer(texts)["input_ids"]]
    as_trained = {own.ids: row for own, row in zip(apart(ids_of(tokenizer), rows), trained, strict=True)}

    def of_texts(given):
        return padded([as_trained[own.ids] for own in given])

    model = small_llama(bos_token_id=tokenizer.bos_token_id)
    run_trainer(folder, model, tokenizer, data, steps=200, batch=of_texts)
