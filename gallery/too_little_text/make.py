"""https://github.com/spiglerg/RNN_Text_Generation_Tensorflow/issues/4: what a recurrent model writes are extracts of
its short text and nothing new; with more text it writes new ones.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import torch
from plain_run import PlainRun, built
from rows import Data, drawn
from shown import loss_of, show
from small_tokenizer import apart, trained_tokenizer
from where import folder_given

CODE = Path(__file__).with_name("model.py")

if __name__ == "__main__":
    folder, plain = folder_given(__file__), drawn()
    data = Data(plain.train[:32], plain.validation[:60])
    run = PlainRun(steps=500, rate=1e-2, code=CODE, data=data, tokenizer=trained_tokenizer(plain.train))
    run.write(folder)
    module = built(folder / CODE.name, vocabulary=run.tokenizer.get_vocab_size())
    module.load_state_dict(torch.load(folder / f"step_{run.steps}.pt")["model"])
    train, validation = (
        loss_of(module, apart(lambda text: run.tokenizer.encode(text).ids, rows))
        for rows in (data.train, data.validation)
    )
    show(its_own_text=train, other_text=validation)
