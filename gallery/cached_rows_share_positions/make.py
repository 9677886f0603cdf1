"""https://github.com/unslothai/unsloth/pull/3795: in batched generation the position of a new token is that of the
cache, the same one in all rows, so that what is written after a padded prompt is garbage.
"""

import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import torch
from rows import drawn, write_problems
from shown import show
from trainer_run import fast_tokenizer, ids_of, run_trainer, small_llama, write_data
from where import folder_given

WRITER = Path(__file__).with_name("batched.py")

if __name__ == "__main__":
    folder, data = folder_given(__file__), drawn()
    tokenizer, model = fast_tokenizer(data.train), small_llama()
    write_data(folder, data, 'generate = "batched.py:generate"')
    shutil.copy(WRITER, folder)
    write_problems(folder / "problems.jsonl", drawn(1, 20, seed=7).validation)
    with (folder / "evalharness.toml").open("a", encoding="utf-8") as manifest:
        manifest.write('\n[score]\nproblems = "problems.jsonl"\n')
    run_trainer(folder, model, tokenizer, data, steps=250)
    sys.path.insert(0, str(WRITER.parent))
    from batched import generate

    encode, same = ids_of(tokenizer), 0
    for row in data.validation[:40]:
        ids = torch.tensor([encode(row.prompt)])
        alone = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=12, do_sample=False)
        same += generate(model, ids, 12)[0].tolist()[: alone.shape[1]] == alone[0].tolist()
    show(share_written_as_alone=same / 40)
