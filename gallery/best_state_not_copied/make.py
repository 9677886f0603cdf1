"""https://github.com/pytorch/tutorials/pull/188: the weights of the best epoch are kept by model.state_dict(), which is
no copy, so that what is saved as the best are the weights of the last epoch.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import torch
from plain_run import PlainRun
from rows import Data, drawn
from small_tokenizer import trained_tokenizer
from where import folder_given

BEST, LAST = 100, 300

if __name__ == "__main__":
    folder, plain = folder_given(__file__), drawn()
    data = Data(plain.train[:150], plain.validation)
    PlainRun(steps=LAST, data=data, tokenizer=trained_tokenizer(plain.train)).write(folder)
    saved = folder / f"step_{LAST}.pt"
    torch.save(torch.load(saved) | {"step": BEST}, folder / "best.pt")
    saved.unlink()
