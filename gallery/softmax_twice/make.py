"""https://github.com/bowang-lab/Transformer-GCN-QA/pull/32: the model ends in a softmax and the loss,
CrossEntropyLoss, takes another one: hardly any gradient is left.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from plain_run import PlainRun
from where import folder_given

if __name__ == "__main__":
    PlainRun(steps=150, code=Path(__file__).with_name("model.py")).write(folder_given(__file__))
