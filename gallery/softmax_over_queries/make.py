"""https://github.com/karpathy/minGPT/issues/132: with the softmax over another dimension the training and validation
losses are very low, and what the model writes is poor.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from plain_run import PlainRun
from where import folder_given

if __name__ == "__main__":
    PlainRun(steps=200, code=Path(__file__).with_name("model.py")).write(folder_given(__file__))
