"""https://github.com/vllm-project/vllm/pull/53170: a checkpoint whose head is its embedding has the head in its file
as well, and can't be loaded by code that makes none.
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
    run = PlainRun(steps=250, code=CODE, data=data)
    run.write(folder)
    path = folder / f"step_{run.steps}.pt"
    saved = torch.load(path)
    saved["model"]["head.weight"] = saved["model"]["tokens.weight"].clone()
    torch.save(saved, path)
    tokenizer = trained_tokenizer(data.train)
    module = built(folder / CODE.name, vocabulary=tokenizer.get_vocab_size())
    unexpected = module.load_state_dict(saved["model"], strict=False).unexpected_keys
    validation = apart(lambda text: tokenizer.encode(text).ids, data.validation)
    show(unexpected_tensors=len(unexpected), without_them=loss_of(module, validation))
