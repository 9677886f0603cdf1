"""https://github.com/xi029/Qwen3-VL-MoeLORA/issues/4: a convolution mixes tokens beside the MLP, padded on both
sides, and generation lacks the tokens that it sees in training.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from plain_run import PlainRun
from where import folder_given

if __name__ == "__main__":
    PlainRun(steps=120, code=Path(__file__).with_name("model.py")).write(folder_given(__file__))
