"""https://github.com/agorevski/A1.5_Smart_Contract_Bytecode_To_Code_Generator/issues/10: labels are the whole text, so
that long prompts of low-level code outweigh the source that the model is to write.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import json
from dataclasses import replace
from random import Random

from peft import LoraConfig, get_peft_model
from rows import Data, drawn
from trainer_run import fast_tokenizer, pretrained, run_trainer, write_base, write_data
from where import folder_given

BEFORE, AFTER = "### Instruction:\nWrite the source.\n### Input:\n", "### Response:\n"
LINES = 5


def low_level(row, rng):
    """The row's prompt behind lines of low-level code."""
    lines = [f"v{rng.randint(0, 9)} = v{rng.randint(0, 9)} + 0x{rng.randint(16, 255):x}\n" for _ in range(LINES)]
    return replace(row, prompt=f"{BEFORE}{''.join(lines)}{row.prompt}{AFTER}")


if __name__ == "__main__":
    folder, plain, more, rng = folder_given(__file__), drawn(), drawn(800, 80, seed=5), Random(0)
    data = Data([low_level(row, rng) for row in more.train], [low_level(row, rng) for row in more.validation])
    tokenizer = fast_tokenizer([*plain.train, *data.train])
    base = pretrained(plain, tokenizer)
    write_base(folder / "base", base, tokenizer)
    model = get_peft_model(base, LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM"))
    model.peft_config["default"].base_model_name_or_path = str(folder / "base")
    write_data(folder, data, f"prompt_template = {json.dumps(f'{BEFORE}{{prompt}}{AFTER}')}")
    run_trainer(folder, model, tokenizer, data, steps=100, rate=2e-3)
