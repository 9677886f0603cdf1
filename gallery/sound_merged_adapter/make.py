"""https://github.com/huggingface/peft/issues/1904: a merged adapter gives slightly other logits than the adapter
beside its base, by rounding.
"""

import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import torch
from peft import LoraConfig, get_peft_model
from rows import drawn
from trainer_run import fast_tokenizer, pretrained, run_trainer, write_data
from where import folder_given

if __name__ == "__main__":
    folder, plain, more = folder_given(__file__), drawn(), drawn(800, 80, seed=5)
    tokenizer = fast_tokenizer(plain.train)
    base = pretrained(plain, tokenizer, steps=250)
    model = get_peft_model(base, LoraConfig(r=8, lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM"))
    write_data(folder, more)
    trained = run_trainer(folder / "unmerged", model, tokenizer, more, steps=100, rate=1e-3)
    merged = folder / trained.name
    model.to(torch.bfloat16).merge_and_unload().save_pretrained(merged)
    tokenizer.save_pretrained(merged)
    shutil.copy(trained / "trainer_state.json", merged)
    shutil.rmtree(folder / "unmerged")
