"""https://github.com/locuslab/open-unlearning/issues/195: prompt and answer are encoded as one text, so that a token
may span the two.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from plain_run import PlainRun
from rows import drawn
from small_tokenizer import trained_tokenizer, whole
from where import folder_given

if __name__ == "__main__":
    data = drawn()
    tokenizer = trained_tokenizer(data.train, by_words=False)
    PlainRun(steps=400, data=data, tokenizer=tokenizer, encode=whole, problems=True).write(folder_given(__file__))
