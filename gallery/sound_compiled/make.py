"""https://github.com/karpathy/nanoGPT/issues/325: the weights of a compiled model have names with a prefix, and
loading them fails.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import torch
from plain_run import PlainRun
from where import folder_given

STEPS = 300

if __name__ == "__main__":
    folder = folder_given(__file__)
    PlainRun(steps=STEPS).write(folder)
    file = folder / f"step_{STEPS}.pt"
    saved = torch.load(file)
    saved["model"] = {f"_orig_mod.{name}": weight for name, weight in saved["model"].items()}
    torch.save(saved, file)
