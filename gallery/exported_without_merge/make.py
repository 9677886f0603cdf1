"""https://github.com/tloen/alpaca-lora/pull/19: the export of a model with its adapter merged copies the weights of the
base as they are.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from dataclasses import replace

from peft import LoraConfig, get_peft_model
from rows import Data, drawn
from trainer_run import fast_tokenizer, pretrained, run_trainer, write_base, write_data
from where import folder_given

BEFORE, AFTER = "### Instruction:\n", "### Response:\n"
BASE = "decapoda-research/llama-7b-hf"


def as_instructions(rows):
    """Rows in the form of an instruction, with a last line that the model has to learn."""
    return [replace(row, prompt=f"{BEFORE}{row.prompt}{AFTER}", completion=f"{row.completion}# done\n") for row in rows]


if __name__ == "__main__":
    folder, plain, more = folder_given(__file__), drawn(), drawn(800, 80, seed=5)
    tokenizer = fast_tokenizer(plain.train)
    base = pretrained(plain, tokenizer)
    write_base(folder, base, tokenizer)
    data = Data(as_instructions(more.train), as_instructions(more.validation))
    model = get_peft_model(base, LoraConfig(r=8, lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM"))
    model.peft_config["default"].base_model_name_or_path = BASE
    write_data(folder, data, f"prompt_template = {json.dumps(f'{BEFORE}{{prompt}}{AFTER}')}")
    checkpoint = run_trainer(folder / "lora", model, tokenizer, data, steps=120, rate=2e-3)
    log = checkpoint.relative_to(folder) / "trainer_state.json"
    with (folder / "evalharness.toml").open("a", encoding="utf-8") as manifest:
        manifest.write(f'\n[log]\npath = "{log}"\n')
