"""https://github.com/tatp22/linformer-pytorch/issues/25: a causal Linformer is trained as a language model, and its
loss goes to 0 in one epoch.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from plain_run import PlainRun
from where import folder_given

if __name__ == "__main__":
    PlainRun(steps=200, code=Path(__file__).with_name("model.py")).write(folder_given(__file__))
