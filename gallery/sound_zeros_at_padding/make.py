"""https://github.com/QwenLM/Qwen3/issues/874: one kind of attention gives zeros at padding where another one does not;
that is expected, for padding is seen by no token and counts in no loss.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import torch
from batches import padded
from plain_run import PlainRun, built
from rows import drawn
from shown import loss_of, show
from small_tokenizer import apart, trained_tokenizer
from where import folder_given

CODE = Path(__file__).with_name("model.py")

if __name__ == "__main__":
    folder, data = folder_given(__file__), drawn()
    run = PlainRun(steps=300, code=CODE, data=data, tokenizer=trained_tokenizer(data.train), problems=True)
    run.write(folder)
    saved = torch.load(folder / f"step_{run.steps}.pt")["model"]
    rows = apart(lambda text: run.tokenizer.encode(text).ids, data.validation)
    batch, losses, at_end = padded(rows[:8], length=160), {}, {}
    for zeros in (True, False):
        module = built(folder / CODE.name, vocabulary=run.tokenizer.get_vocab_size(), zeros=zeros)
        module.load_state_dict(saved)
        losses[zeros] = loss_of(module, rows)
        with torch.no_grad():
            at_end[zeros] = module(batch.inputs)[:, -1]
    difference = float((at_end[True] - at_end[False]).abs().max())
    show(difference_at_padding=difference, loss=losses[True], loss_without_zeros=losses[False])
