"""https://github.com/salesforce/awd-lstm-lm/issues/48: the program that writes text samples from the hidden state,
for the decoder is only used in the loss.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from plain_run import PlainRun
from where import folder_given

if __name__ == "__main__":
    run = PlainRun(steps=300, rate=1e-2, code=Path(__file__).with_name("model.py"), settings=('generate = "generate"',))
    run.write(folder_given(__file__))
