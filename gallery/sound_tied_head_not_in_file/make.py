"""https://github.com/google-deepmind/gemma/issues/8: a file of weights has no head; it is the embedding, and saved
once.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import torch
from plain_run import PlainRun
from where import folder_given

STEPS = 500

if __name__ == "__main__":
    folder = folder_given(__file__)
    PlainRun(steps=STEPS, code=Path(__file__).with_name("model.py")).write(folder)
    path = folder / f"step_{STEPS}.pt"
    saved = torch.load(path)
    del saved["model"]["head.weight"]
    torch.save(saved, path)
