"""https://github.com/OpenNMT/OpenNMT/issues/122: the training loss jumps down where an epoch begins, and the
validation loss is much lower; what is printed is the mean since the epoch began.
"""

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from statistics import mean

from batches import IGNORED
from plain_run import PlainRun
from torch.nn import functional
from where import folder_given

STEPS, EPOCH = 300, 94


class Remembered:
    """The logits, and the losses of all training steps."""

    def __init__(self):
        self.losses = []

    def __call__(self, module, batch):
        logits = module(batch.inputs)
        if module.training:
            loss = functional.cross_entropy(logits.flatten(0, 1), batch.targets.flatten(), ignore_index=IGNORED)
            self.losses.append(loss.item())
        return logits

    def line(self, logged):
        """The line of the log with the mean since the epoch began."""
        step = int(logged["step"])
        begin = (step - 1) // EPOCH * EPOCH
        return f"{logged['before']}train loss {mean(self.losses[begin:step]):.4f}"


if __name__ == "__main__":
    folder, remembered = folder_given(__file__), Remembered()
    PlainRun(steps=STEPS, logits=remembered).write(folder)
    log = folder / "train.log"
    line = re.compile(r"(?P<before>step (?P<step>\d+)/\d+ \| )train loss [\d.]+")
    log.write_text(line.sub(remembered.line, log.read_text(encoding="utf-8")), encoding="utf-8")
