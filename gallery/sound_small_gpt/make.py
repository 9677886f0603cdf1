"""https://github.com/karpathy/nanoGPT/issues/234: the text of a small model is less coherent than expected; it is
what a model of that loss writes.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from plain_run import PlainRun
from where import folder_given

if __name__ == "__main__":
    PlainRun(steps=400).write(folder_given(__file__))
