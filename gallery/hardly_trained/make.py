"""https://github.com/kyegomez/BitNet/issues/23: the loss of a model of characters falls to 2.6 and stays there, and
the model writes gibberish.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from plain_run import PlainRun
from rows import drawn
from small_tokenizer import trained_tokenizer
from where import folder_given

BYTES_AND_SPECIAL = 258

if __name__ == "__main__":
    data = drawn()
    tokenizer = trained_tokenizer(data.train, size=BYTES_AND_SPECIAL)
    PlainRun(steps=60, data=data, tokenizer=tokenizer, rate=1e-3).write(folder_given(__file__))
