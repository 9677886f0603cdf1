"""https://github.com/karpathy/nanoGPT/pull/240: the attention's dropout is an argument of a function, and it stays on
in evaluation.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from plain_run import PlainRun
from where import folder_given

if __name__ == "__main__":
    PlainRun(steps=250, code=Path(__file__).with_name("model.py")).write(folder_given(__file__))
