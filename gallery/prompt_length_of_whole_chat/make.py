"""https://github.com/axolotl-ai-cloud/axolotl/pull/3098: the prompt's length is taken from the whole conversation, so
that all labels of a chat are ignored.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from batches import IGNORED, padded
from chats import chat_tokenizer, messages, write_chats
from rows import drawn
from shown import loss_of, show
from small_tokenizer import Encoded, apart
from trainer_run import ids_of, pretrained, run_trainer
from where import folder_given

if __name__ == "__main__":
    folder, plain, data = folder_given(__file__), drawn(), drawn(1000, 100, seed=5)
    tokenizer = chat_tokenizer(plain.train)
    model = pretrained(plain, tokenizer, max_position_embeddings=512)
    write_chats(folder, data, drawn(1, 20, seed=7).validation)
    rows, encode = [*data.train, *data.validation], ids_of(tokenizer)
    chats = {}
    for own, row in zip(apart(encode, rows), rows, strict=True):
        ids = encode(tokenizer.apply_chat_template(messages(row), tokenize=False))
        prompt = encode(tokenizer.apply_chat_template(messages(row), tokenize=False, add_generation_prompt=True))
        chats[own.ids] = Encoded(tuple(ids), min(len(prompt), len(ids)))

    def of_chats(given):
        return padded([chats[own.ids] for own in given], count_prompt=False)

    def of_whole_chats(given):
        return padded([chats[own.ids] for own in given])

    validation = apart(encode, data.validation)
    before = loss_of(model, validation, batch=of_whole_chats)
    run_trainer(folder, model, tokenizer, data, steps=40, rate=2e-5, batch=of_chats)
    counted = sum(int((of_chats([own]).labels != IGNORED).sum()) for own in validation)
    show(labels_that_count=counted, chats_before=before, after=loss_of(model, validation, batch=of_whole_chats))
