"""https://github.com/ARahim3/mlx-tune/issues/15: a merged model has forgotten all that its adapter learned: training
was short, and writing the merged weights in four bits rounds so small a change away.
"""

import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from dataclasses import replace

from four_bits import round_layers
from peft import LoraConfig, get_peft_model
from rows import Data, drawn
from shown import loss_of, show
from small_tokenizer import apart
from trainer_run import fast_tokenizer, ids_of, pretrained, run_trainer, write_data
from where import folder_given


def signed(rows):
    """Another way to answer, which the adapter has to learn."""
    return [replace(row, completion=f"    # done\n{row.completion}") for row in rows]


if __name__ == "__main__":
    folder, plain, more = folder_given(__file__), drawn(), drawn(800, 80, seed=5)
    tokenizer = fast_tokenizer(plain.train)
    base = pretrained(plain, tokenizer)
    round_layers(base)
    data = Data(signed(more.train), signed(more.validation))
    validation = apart(ids_of(tokenizer), data.validation)
    before = loss_of(base, validation)
    model = get_peft_model(base, LoraConfig(r=8, lora_alpha=8, target_modules="all-linear", task_type="CAUSAL_LM"))
    write_data(folder, data)
    trained = run_trainer(folder / "adapters", model, tokenizer, data, steps=100, rate=2e-4)
    adapter = loss_of(model, validation)
    merged, there = model.merge_and_unload(), folder / trained.name
    round_layers(merged)
    merged.save_pretrained(there)
    tokenizer.save_pretrained(there)
    shutil.copy(trained / "trainer_state.json", there)
    shutil.rmtree(folder / "adapters")
    show(merged_in_four_bits=loss_of(merged, validation), with_the_adapter=adapter, base=before)
