"""https://github.com/huggingface/transformers/issues/28385: a batch gets other answers than one prompt by itself; the
padding token is the end token, so that generate() takes none of it for padding.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import shutil

from rows import drawn
from small_tokenizer import END_ID
from trainer_run import fast_tokenizer, run_trainer, small_llama, write_data
from where import folder_given

if __name__ == "__main__":
    folder, data = folder_given(__file__), drawn()
    tokenizer = fast_tokenizer(data.train)
    write_data(folder, data, 'generate = "batches_of_prompts.py:generate"')
    shutil.copy(Path(__file__).with_name("batches_of_prompts.py"), folder)
    # Rows are filled up with an id that no text has, and masked; only generation takes the end token for padding.
    tokenizer.pad_token = tokenizer.eos_token
    run_trainer(folder, small_llama(pad_token_id=END_ID), tokenizer, data, steps=250)
