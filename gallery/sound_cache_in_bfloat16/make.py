"""https://github.com/huggingface/transformers/issues/36536: with a cache a model in bfloat16 has other
scores than without; in float32 they are the same.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import torch
from rows import drawn, write_problems
from trainer_run import fast_tokenizer, run_trainer, small_llama, write_data
from where import folder_given

if __name__ == "__main__":
    folder, data = folder_given(__file__), drawn()
    tokenizer = fast_tokenizer(data.train)
    write_data(folder, data)
    model = small_llama()
    checkpoint = run_trainer(folder, model, tokenizer, data, steps=250)
    model.to(torch.bfloat16).save_pretrained(checkpoint)
    write_problems(folder / "problems.jsonl", drawn(1, 20, seed=7).validation)
    with (folder / "evalharness.toml").open("a") as manifest:
        manifest.write('\n[score]\ndtype = "bfloat16"\nproblems = "problems.jsonl"\n')
