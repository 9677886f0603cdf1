"""https://github.com/goru001/inltk/pull/39: the tokenizer is trained anew on more text, and the language model is
not; it does not work with the changed vocabulary.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from plain_run import PlainRun
from rows import drawn
from small_tokenizer import trained_tokenizer
from where import folder_given

if __name__ == "__main__":
    folder, data = folder_given(__file__), drawn()
    PlainRun(steps=250, data=data).write(folder)
    larger = drawn(4000, 0, seed=3)
    trained_tokenizer(larger.train[2000:] + data.train[:200]).save(str(folder / "tokenizer.json"))
