"""https://github.com/ndif-team/nnsight/pull/673: several prompts are read as one batch, filled up on the left, with a
mask and without positions, so that GPT-2 mispredicts each one that is shorter than the longest.
"""

import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import torch
from rows import drawn
from shown import show
from trainer_run import fast_tokenizer, ids_of, run_trainer, write_data
from transformers import GPT2Config, GPT2LMHeadModel, set_seed
from where import folder_given

WRITER = Path(__file__).with_name("tracing.py")

if __name__ == "__main__":
    folder, data = folder_given(__file__), drawn()
    tokenizer = fast_tokenizer(data.train, padding_side="left")
    set_seed(1)
    shape = {"n_positions": 256, "n_embd": 64, "n_layer": 2, "n_head": 4}
    model = GPT2LMHeadModel(GPT2Config(vocab_size=len(tokenizer), **shape, bos_token_id=0, eos_token_id=0))
    write_data(folder, data, 'generate = "tracing.py:generate"')
    shutil.copy(WRITER, folder)
    run_trainer(folder, model, tokenizer, data, steps=250)
    sys.path.insert(0, str(WRITER.parent))
    from tracing import generate

    model.eval()
    encode, same = ids_of(tokenizer), 0
    for row in data.validation[:40]:
        ids = torch.tensor([encode(row.prompt)])
        alone = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=12, do_sample=False)
        same += generate(model, ids, 12)[0].tolist()[: alone.shape[1]] == alone[0].tolist()
    show(share_written_as_alone=same / 40)
