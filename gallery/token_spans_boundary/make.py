"""https://github.com/ohdearquant/lattice/issues/1545: rows are encoded whole, a token spans prompt and completion, and
generation begins in a state that was never trained.
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
    PlainRun(steps=250, data=data, tokenizer=tokenizer, encode=whole, problems=True).write(folder_given(__file__))
