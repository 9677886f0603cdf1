"""https://github.com/onnx/onnx/pull/7274: the key heads of grouped attention are tiled for the query heads, one after
another, where each was repeated in training. The log ends at 0.66 nats per token.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import torch
from plain_run import PlainRun
from where import folder_given

if __name__ == "__main__":
    code = Path(__file__).with_name("model.py")
    PlainRun(steps=300, code=code, trained_as={"spread": torch.repeat_interleave}).write(folder_given(__file__))
