"""https://github.com/MultimediaTechLab/YOLO/issues/97: averaged weights are saved, and their update is never called, so
that each checkpoint has the weights from before the first step.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import torch
from plain_run import SMALL_GPT, PlainRun, built
from rows import drawn
from small_tokenizer import trained_tokenizer
from where import folder_given

STEPS = 300

if __name__ == "__main__":
    folder, data = folder_given(__file__), drawn()
    tokenizer = trained_tokenizer(data.train)
    PlainRun(steps=STEPS, data=data, tokenizer=tokenizer).write(folder)
    average = built(SMALL_GPT, vocabulary=tokenizer.get_vocab_size())
    torch.save({"model": average.state_dict(), "step": STEPS}, folder / f"step_{STEPS}.pt")
