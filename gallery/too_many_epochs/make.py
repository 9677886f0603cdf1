"""https://github.com/huggingface/transformers/issues/22934: in fine-tuning the evaluation loss falls for one epoch
and then keeps rising.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from rows import Data, drawn
from trainer_run import fast_tokenizer, run_trainer, small_llama, write_data
from where import folder_given

if __name__ == "__main__":
    folder, plain = folder_given(__file__), drawn()
    tokenizer = fast_tokenizer(plain.train)
    data = Data(plain.train[:48], plain.validation)
    write_data(folder, data)
    run_trainer(folder, small_llama(), tokenizer, data, steps=250)
