"""https://github.com/ssbuild/chatglm_finetuning/issues/215: a model with a trained adapter answers as the one without;
the encoded data of an earlier run was not deleted, so that the new rows were never read.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import json
from dataclasses import replace

from peft import LoraConfig, get_peft_model
from rows import Data, drawn
from trainer_run import fast_tokenizer, pretrained, run_trainer, write_base, write_data
from where import folder_given

BEFORE, AFTER = "### Task:\n", "### Answer:\n"


def as_instructions(data, last=""):
    """Rows in the form of an instruction, with a last line that the model has to learn."""
    return Data(
        *(
            [replace(r, prompt=f"{BEFORE}{r.prompt}{AFTER}", completion=f"{r.completion}{last}") for r in rows]
            for rows in (data.train, data.validation)
        )
    )


if __name__ == "__main__":
    folder, plain = folder_given(__file__), drawn()
    tokenizer = fast_tokenizer(plain.train)
    base = pretrained(plain, tokenizer)
    write_base(folder / "base", base, tokenizer)
    cached = as_instructions(drawn(800, 80, seed=5))
    edited = as_instructions(drawn(800, 80, seed=6), "# checked by ada\n# done\n")
    model = get_peft_model(base, LoraConfig(r=8, lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM"))
    model.peft_config["default"].base_model_name_or_path = str(folder / "base")
    write_data(folder, edited, f"prompt_template = {json.dumps(f'{BEFORE}{{prompt}}{AFTER}')}")
    run_trainer(folder, model, tokenizer, cached, steps=120, rate=2e-3)
