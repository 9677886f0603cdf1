"""https://github.com/anicolson/DeepXi/issues/18: a network of causal layers is normalised over the whole sequence,
so that it uses future frames.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from plain_run import PlainRun
from where import folder_given

if __name__ == "__main__":
    PlainRun(steps=120, code=Path(__file__).with_name("model.py")).write(folder_given(__file__))
