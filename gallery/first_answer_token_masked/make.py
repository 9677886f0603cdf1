"""https://github.com/verl-project/verl/pull/3287: the mask of the loss is cut on the wrong side, so that the first
token of each answer is never trained, and the one after it counts as if it were the first.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from batches import IGNORED, padded
from rows import drawn
from trainer_run import fast_tokenizer, run_trainer, small_llama, write_data
from where import folder_given


def cut_on_the_wrong_side(rows):
    """Answers count, but for the first token of each."""
    batch = padded(rows, count_prompt=False)
    for labels, prompt_tokens in zip(batch.labels, batch.prompt_tokens.tolist(), strict=True):
        labels[prompt_tokens] = IGNORED
    return batch


if __name__ == "__main__":
    folder, data = folder_given(__file__), drawn()
    tokenizer = fast_tokenizer(data.train)
    write_data(folder, data)
    run_trainer(folder, small_llama(), tokenizer, data, steps=250, batch=cut_on_the_wrong_side)
