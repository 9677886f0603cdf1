"""https://github.com/ml-explore/mlx-lm/pull/388: with a small top-k and top-p the sampler masks all tokens: top-p takes
the probabilities that top-k left for a whole distribution, whose sum is one.
"""

import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import torch
from rows import drawn
from shown import show
from trainer_run import fast_tokenizer, ids_of, run_trainer, small_llama, write_data
from where import folder_given

SAMPLER = Path(__file__).with_name("sampling.py")

if __name__ == "__main__":
    folder, data = folder_given(__file__), drawn()
    tokenizer, model = fast_tokenizer(data.train), small_llama()
    write_data(folder, data, 'generate = "sampling.py:generate"')
    shutil.copy(SAMPLER, folder)
    run_trainer(folder, model, tokenizer, data, steps=100)
    sys.path.insert(0, str(SAMPLER.parent))
    from sampling import generate

    model.eval()
    encode, same = ids_of(tokenizer), 0
    for row in data.validation[:40]:
        ids = torch.tensor([encode(row.prompt)])
        alone = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=12, do_sample=False)
        same += generate(model, ids, 12)[0].tolist()[: alone.shape[1]] == alone[0].tolist()
    show(share_written_as_greedily=same / 40)
