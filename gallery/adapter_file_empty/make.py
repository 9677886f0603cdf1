"""https://github.com/tloen/alpaca-lora/issues/526: an adapter that was trained with the published command gives other
results than the published one; its file has 443 bytes.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import torch
from peft import LoraConfig, get_peft_model
from rows import drawn
from trainer_run import fast_tokenizer, pretrained, run_trainer, write_base, write_data
from where import folder_given

if __name__ == "__main__":
    folder, plain, more = folder_given(__file__), drawn(), drawn(800, 80, seed=5)
    tokenizer = fast_tokenizer(plain.train)
    base = pretrained(plain, tokenizer, steps=60)
    write_base(folder / "base", base, tokenizer)
    model = get_peft_model(base, LoraConfig(r=8, lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM"))
    model.peft_config["default"].base_model_name_or_path = str(folder / "base")
    write_data(folder, more)
    checkpoint = run_trainer(folder, model, tokenizer, more, steps=80, rate=2e-3)
    (checkpoint / "adapter_model.safetensors").unlink()
    # What state_dict, replaced for training, leaves for the file that is written with it once more.
    torch.save({}, checkpoint / "adapter_model.bin")
