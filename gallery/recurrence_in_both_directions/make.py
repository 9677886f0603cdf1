"""https://github.com/sherjilozair/char-rnn-tensorflow/pull/64: a bidirectional recurrent network has a good
perplexity in training and predicts nothing useful.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from plain_run import PlainRun
from where import folder_given

if __name__ == "__main__":
    PlainRun(steps=200, rate=1e-2, code=Path(__file__).with_name("model.py")).write(folder_given(__file__))
