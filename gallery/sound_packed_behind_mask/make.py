"""https://github.com/mosaicml/llm-foundry/issues/1464: packed sequences look as if they attended to each other, for the
mask of a batch is not seen; with the ids of the sequences they don't.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from batches import blocks
from plain_run import PlainRun
from rows import drawn
from small_tokenizer import END_ID, apart
from where import folder_given

LENGTH = 192


def packed(encode, rows):
    """Blocks of rows, one behind the other."""
    return blocks(apart(encode, rows), LENGTH)


def apart_in_block(module, batch):
    """The logits of each sequence alone: its id is the number of end tokens before it."""
    ends = (batch.inputs == END_ID).long()
    return module(batch.inputs, sequence_id=ends.cumsum(dim=1) - ends)


if __name__ == "__main__":
    code = Path(__file__).with_name("model.py")
    run = PlainRun(steps=200, code=code, data=drawn(2400, 200), encode=packed, logits=apart_in_block, rows_in_batch=6)
    run.write(folder_given(__file__))
