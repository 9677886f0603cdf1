"""https://github.com/ggml-org/llama.cpp/issues/4479: tokens one at a time get other logits than all at once, for other
kernels round otherwise; the probabilities are the same.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import torch
from rows import drawn, write_problems
from shown import loss_of, show
from small_tokenizer import END_ID, PAD_ID, apart
from trainer_run import SPARE, fast_tokenizer, ids_of, run_trainer, write_data
from transformers import MistralConfig, MistralForCausalLM, set_seed
from where import folder_given

if __name__ == "__main__":
    folder, data = folder_given(__file__), drawn()
    tokenizer = fast_tokenizer(data.train)
    set_seed(1)
    shape = {"hidden_size": 64, "intermediate_size": 160, "num_hidden_layers": 2, "num_attention_heads": 4}
    ids = {"bos_token_id": None, "eos_token_id": END_ID, "pad_token_id": PAD_ID}
    config = MistralConfig(vocab_size=SPARE, num_key_value_heads=2, max_position_embeddings=256, **shape, **ids)
    model = MistralForCausalLM(config)
    write_data(folder, data)
    write_problems(folder / "problems.jsonl", drawn(1, 20, seed=7).validation)
    with (folder / "evalharness.toml").open("a", encoding="utf-8") as manifest:
        manifest.write('\n[score]\ndtype = "float16"\nproblems = "problems.jsonl"\n')
    checkpoint = run_trainer(folder, model, tokenizer, data, steps=250)
    rows = apart(ids_of(tokenizer), data.validation)
    exact = loss_of(model, rows)
    model.to(torch.float16).save_pretrained(checkpoint)
    row, cache, steps = torch.tensor([rows[0].ids]), None, []
    with torch.no_grad():
        for place in range(row.shape[1]):
            made = model(input_ids=row[:, place : place + 1], past_key_values=cache, use_cache=True)
            cache = made.past_key_values
            steps.append(made.logits)
        moved = (torch.cat(steps, dim=1) - model(input_ids=row).logits).abs().max()
    show(logits_move_by=float(moved), loss=loss_of(model, rows), loss_in_float32=exact)
