"""https://github.com/tensorflow/models/issues/3125: the same sentence has another perplexity the second time; the
state of the recurrent network is carried over from one sentence to the next.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from plain_run import PlainRun
from where import folder_given

if __name__ == "__main__":
    PlainRun(steps=250, rate=1e-2, code=Path(__file__).with_name("model.py")).write(folder_given(__file__))
