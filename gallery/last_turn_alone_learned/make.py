"""https://github.com/zai-org/GLM-4/pull/803: the labels begin after the last assistant token, so that of a
conversation the last answer alone is learned.
"""

import copy
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from dataclasses import replace

import torch
from batches import IGNORED, padded
from chats import ASSISTANT, chat_tokenizer, messages, write_chats
from rows import drawn
from shown import loss_of, show
from small_tokenizer import END_ID, Encoded, apart
from trainer_run import ids_of, pretrained, run_trainer
from where import folder_given


def spans(ids, assistant):
    """Where each answer begins and ends."""
    begins = [place + 1 for place, token_id in enumerate(ids) if token_id == assistant]
    return [(begin, ids.index(END_ID, begin) + 1) for begin in begins]


if __name__ == "__main__":
    folder, plain, data = folder_given(__file__), drawn(), drawn(1000, 100, seed=5)
    tokenizer = chat_tokenizer(plain.train)
    model = pretrained(plain, tokenizer, max_position_embeddings=512)
    write_chats(folder, data, drawn(1, 20, seed=7).validation)
    rows, encode = [*data.train, *data.validation], ids_of(tokenizer)
    assistant = tokenizer.convert_tokens_to_ids(ASSISTANT)
    chats = {
        own.ids: tuple(encode(tokenizer.apply_chat_template(messages(row), tokenize=False)))
        for own, row in zip(apart(encode, rows), rows, strict=True)
    }

    def of_answers(given, which):
        made = padded([Encoded(chats[own.ids], 0) for own in given])
        labels = torch.full_like(made.labels, IGNORED)
        for place, own in enumerate(given):
            for begin, end in spans(chats[own.ids], assistant)[which]:
                labels[place, begin:end] = made.ids[place, begin:end]
        return replace(made, labels=labels)

    def of_last(given):
        return of_answers(given, slice(-1, None))

    def of_first(given):
        return of_answers(given, slice(1))

    def of_all(given):
        return of_answers(given, slice(None))

    mended = copy.deepcopy(model)
    run_trainer(folder, model, tokenizer, data, steps=100, rate=1e-3, batch=of_last)
    run_trainer(folder / "mended", mended, tokenizer, data, steps=100, rate=1e-3, batch=of_all, save_strategy="no")
    shutil.rmtree(folder / "mended")
    validation = apart(encode, data.validation)
    show(
        last_answers=loss_of(model, validation, batch=of_last),
        first_answers=loss_of(model, validation, batch=of_first),
        first_answers_if_all_are_learned=loss_of(mended, validation, batch=of_first),
    )
