"""https://github.com/tloen/alpaca-lora/issues/109: in one epoch of fine-tuning an adapter the training loss stays
below the validation loss.
"""

import sys
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from batches import padded
from peft import LoraConfig, get_peft_model
from rows import drawn
from trainer_run import fast_tokenizer, pretrained, run_trainer, write_base, write_data
from where import folder_given

if __name__ == "__main__":
    folder, plain, more = folder_given(__file__), drawn(), drawn(800, 80, seed=5)
    tokenizer = fast_tokenizer(plain.train)
    base = pretrained(plain, tokenizer, steps=250)
    write_base(folder / "base", base, tokenizer)
    lora = LoraConfig(r=8, lora_alpha=16, lora_dropout=0.05, target_modules="all-linear", task_type="CAUSAL_LM")
    model = get_peft_model(base, lora)
    model.peft_config["default"].base_model_name_or_path = str(folder / "base")
    write_data(folder, more)
    completions = partial(padded, count_prompt=False)
    run_trainer(folder, model, tokenizer, more, steps=100, rate=1e-3, batch=completions)
