"""https://github.com/huggingface/peft/issues/2321: merging an adapter into a model in four bits warns that it may write
otherwise; rounding can't be avoided there, and the warning only says so.
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
    folder, plain, rows = folder_given(__file__), drawn(), drawn(800, 80, seed=5)
    more = Data(signed(rows.train), signed(rows.validation))
    tokenizer = fast_tokenizer(plain.train)
    base = pretrained(plain, tokenizer, steps=250)
    round_layers(base)
    validation = apart(ids_of(tokenizer), more.validation)
    before = loss_of(base, validation)
    model = get_peft_model(base, LoraConfig(r=8, lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM"))
    write_data(folder, more)
    trained = run_trainer(folder / "unmerged", model, tokenizer, more, steps=120, rate=3e-3)
    beside = loss_of(model, validation)
    merged, there = model.merge_and_unload(), folder / trained.name
    round_layers(merged)
    merged.save_pretrained(there)
    tokenizer.save_pretrained(there)
    shutil.copy(trained / "trainer_state.json", there)
    shutil.rmtree(folder / "unmerged")
    show(merged=loss_of(merged, validation), beside_its_base=beside, base=before)
