"""https://github.com/huggingface/transformers/issues/2401: a model gives a row other logits in a larger batch; the
differences are those of rounding, which is expected.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import torch
from batches import padded
from rows import drawn, write_problems
from shown import loss_of, show
from small_tokenizer import END_ID, apart
from trainer_run import SPARE, fast_tokenizer, ids_of, logits_of, run_trainer, write_data
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM, set_seed
from where import folder_given

if __name__ == "__main__":
    folder, data = folder_given(__file__), drawn()
    tokenizer = fast_tokenizer(data.train)
    set_seed(1)
    shape = {"hidden_size": 64, "intermediate_size": 256, "num_hidden_layers": 2, "num_attention_heads": 4}
    model = GPTNeoXForCausalLM(GPTNeoXConfig(vocab_size=SPARE, **shape, bos_token_id=END_ID, eos_token_id=END_ID))
    write_data(folder, data)
    write_problems(folder / "problems.jsonl", drawn(1, 20, seed=7).validation)
    with (folder / "evalharness.toml").open("a", encoding="utf-8") as manifest:
        manifest.write('\n[score]\nproblems = "problems.jsonl"\n')
    run_trainer(folder, model, tokenizer, data, steps=250)
    rows = apart(ids_of(tokenizer), data.validation)
    model.eval()
    with torch.no_grad():
        alone, beside = (logits_of(model, padded(rows[:size]))[0] for size in (1, 16))
    moved = (alone - beside[: len(alone)]).abs().max()
    show(logits_move_by=float(moved), loss=loss_of(model, rows))
