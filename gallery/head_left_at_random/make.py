"""https://github.com/vllm-project/vllm/issues/5621: a model whose head is its embedding is loaded by code that does
not tie them; the file has no head, so that the head stays as it was drawn.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import torch
from plain_run import PlainRun, built
from rows import drawn
from shown import loss_of, show
from small_tokenizer import apart, trained_tokenizer
from where import folder_given

CODE = Path(__file__).with_name("model.py")

if __name__ == "__main__":
    folder, data = folder_given(__file__), drawn()
    run = PlainRun(steps=250, code=CODE, data=data, trained_as={"tied": True})
    run.write(folder)
    path = folder / f"step_{run.steps}.pt"
    saved = torch.load(path)
    del saved["model"]["head.weight"]
    torch.save(saved, path)
    tokenizer = trained_tokenizer(data.train)
    validation = apart(lambda text: tokenizer.encode(text).ids, data.validation)
    losses = {}
    for tied in (True, False):
        module = built(folder / CODE.name, vocabulary=tokenizer.get_vocab_size(), tied=tied)
        module.load_state_dict(saved["model"], strict=False)
        losses[tied] = loss_of(module, validation)
    show(as_loaded=losses[False], tied=losses[True])
