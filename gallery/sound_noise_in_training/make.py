"""https://github.com/huggingface/transformers/pull/27141: NEFTune, noise that is added to the embeddings in training
alone, so that the training loss is above that of validation.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from rows import drawn
from trainer_run import fast_tokenizer, run_trainer, small_llama, write_data
from where import folder_given

if __name__ == "__main__":
    folder, data = folder_given(__file__), drawn()
    tokenizer = fast_tokenizer(data.train)
    write_data(folder, data)
    run_trainer(folder, small_llama(), tokenizer, data, steps=300, neftune_noise_alpha=1.0)
