"""https://github.com/EleutherAI/lm-evaluation-harness/issues/1586: the perplexity of a Llama is 17,832,760 with the end
token before a text, and 39 with the begin token, as in training.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from dataclasses import replace

from rows import drawn
from small_tokenizer import whole
from trainer_run import fast_tokenizer, run_trainer, small_llama, write_data
from where import folder_given

BEGIN = "<|begin|>"

if __name__ == "__main__":
    folder, data = folder_given(__file__), drawn()
    tokenizer = fast_tokenizer(data.train)
    tokenizer.add_special_tokens({"bos_token": BEGIN})

    def after_begin(encode, rows):
        return [replace(row, ids=(tokenizer.bos_token_id, *row.ids)) for row in whole(encode, rows)]

    write_data(folder, data, 'begin_token = "<|end|>"')
    model = small_llama(bos_token_id=tokenizer.bos_token_id)
    run_trainer(folder, model, tokenizer, data, steps=400, encode=after_begin)
