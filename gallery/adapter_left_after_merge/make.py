"""https://github.com/ElleLeonne/Lightning-ReLoRA/issues/12: the last adapter is merged into the model that is saved,
and its layers are saved, too; what the model writes with them is almost unreadable.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from copy import deepcopy

from peft import LoraConfig, get_peft_model
from rows import drawn
from trainer_run import fast_tokenizer, pretrained, run_trainer, write_base, write_data
from where import folder_given

if __name__ == "__main__":
    folder, plain, more = folder_given(__file__), drawn(), drawn(800, 80, seed=5)
    tokenizer = fast_tokenizer(plain.train)
    base = pretrained(plain, tokenizer, steps=60)
    model = get_peft_model(base, LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM"))
    model.peft_config["default"].base_model_name_or_path = str(folder / "model")
    write_data(folder, more)
    run_trainer(folder, model, tokenizer, more, steps=150, rate=2e-3)
    write_base(folder / "model", deepcopy(model).merge_and_unload(), tokenizer)
