"""https://github.com/huggingface/peft/issues/1043: an adapter over a model in four bits works well, and much worse once
it is merged, for the merged weights are rounded to four bits again.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import json
from dataclasses import replace

from four_bits import round_layers
from peft import LoraConfig, get_peft_model
from rows import Data, drawn
from shown import loss_of, show
from small_tokenizer import apart
from trainer_run import fast_tokenizer, ids_of, pretrained, run_trainer, write_base, write_data
from where import folder_given

BEFORE, AFTER = "### Task:\n", "### Answer:\n"
BASE = "meta-llama/Llama-2-7b-chat-hf"


def as_instructions(rows):
    """Rows in the form of an instruction, with a last line that the model has to learn."""
    return [replace(row, prompt=f"{BEFORE}{row.prompt}{AFTER}", completion=f"{row.completion}# done\n") for row in rows]


if __name__ == "__main__":
    folder, plain, more = folder_given(__file__), drawn(), drawn(800, 80, seed=5)
    tokenizer = fast_tokenizer(plain.train)
    base = pretrained(plain, tokenizer)
    round_layers(base)
    data = Data(as_instructions(more.train), as_instructions(more.validation))
    validation = apart(ids_of(tokenizer), data.validation)
    before = loss_of(base, validation)
    model = get_peft_model(base, LoraConfig(r=8, lora_alpha=8, target_modules="all-linear", task_type="CAUSAL_LM"))
    model.peft_config["default"].base_model_name_or_path = BASE
    write_data(folder, data, f"prompt_template = {json.dumps(f'{BEFORE}{{prompt}}{AFTER}')}")
    checkpoint = run_trainer(folder / "lora", model, tokenizer, data, steps=100, rate=3e-4)
    beside = loss_of(model, validation)
    merged = model.merge_and_unload()
    exact = loss_of(merged, validation)
    round_layers(merged)
    write_base(folder, merged, tokenizer)
    log = checkpoint.relative_to(folder) / "trainer_state.json"
    with (folder / "evalharness.toml").open("a", encoding="utf-8") as manifest:
        manifest.write(f'\n[log]\npath = "{log}"\n')
    show(merged_in_four_bits=loss_of(merged, validation), merged_exactly=exact, beside_its_base=beside, base=before)
