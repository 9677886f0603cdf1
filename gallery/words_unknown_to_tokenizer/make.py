"""https://github.com/huggingface/nanotron/issues/254: a small model that was trained by the example writes nothing
correct; the tokenizer of the example knows a few words, and all others are unknown to it.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from rows import drawn
from small_tokenizer import END, PAD, PAD_ID
from tokenizers import Tokenizer, models, pre_tokenizers
from trainer_run import run_trainer, small_llama, write_data
from transformers import PreTrainedTokenizerFast
from where import folder_given

UNKNOWN = "[UNK]"
WORDS = ("Return", "Count", "the", "of", "x", "plus", "times", "values", "words", "def", "return", "if", "for", "in")


def tokenizer_of_few_words():
    """One token a word."""
    ids = {word: place for place, word in enumerate((END, PAD, UNKNOWN, "[CLS]", "[SEP]", *WORDS))}
    made = Tokenizer(models.WordLevel(ids, unk_token=UNKNOWN))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=made, eos_token=END, pad_token=PAD, unk_token=UNKNOWN)


if __name__ == "__main__":
    folder, data = folder_given(__file__), drawn()
    tokenizer = tokenizer_of_few_words()
    write_data(folder, data)
    run_trainer(folder, small_llama(64, pad_token_id=PAD_ID), tokenizer, data, steps=200)
