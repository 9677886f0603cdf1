"""https://github.com/karpathy/minGPT/issues/75: training and validation loss are almost 0 and what is written is very
bad; the attention scores went below the value that masks later tokens.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from plain_run import PlainRun
from where import folder_given

if __name__ == "__main__":
    PlainRun(steps=300, rate=1e-2, code=Path(__file__).with_name("model.py")).write(folder_given(__file__))
