"""https://github.com/EleutherAI/lm-evaluation-harness/issues/1101: a model has a score of guessing, for each text of
its training stood after a begin token, and the harness puts none there.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from dataclasses import replace

from rows import drawn
from shown import loss_of, show
from small_tokenizer import apart
from trainer_run import fast_tokenizer, ids_of, run_trainer, small_llama, write_data
from where import folder_given

BEGIN = "<|begin|>"

if __name__ == "__main__":
    folder, data = folder_given(__file__), drawn()
    tokenizer = fast_tokenizer(data.train)
    tokenizer.add_special_tokens({"bos_token": BEGIN})
    begin = tokenizer.bos_token_id

    def after_begin(encode, rows):
        return [replace(row, ids=(begin, *row.ids)) for row in apart(encode, rows)]

    write_data(folder, data)
    model = small_llama(bos_token_id=begin)
    run_trainer(folder, model, tokenizer, data, steps=500, encode=after_begin)
    encode = ids_of(tokenizer)
    show(
        without_begin=loss_of(model, apart(encode, data.validation)),
        with_begin=loss_of(model, after_begin(encode, data.validation)),
    )
