"""https://github.com/locuslab/open-unlearning/issues/178: with gradient checkpointing, and without gradients of the
inputs, the adapters of the layers stay as they were drawn; only the head's is trained.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from peft import LoraConfig, get_peft_model
from rows import drawn
from trainer_run import fast_tokenizer, pretrained, run_trainer, write_base, write_data
from where import folder_given

ADAPTED = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj", "lm_head"]

if __name__ == "__main__":
    folder, plain, more = folder_given(__file__), drawn(), drawn(800, 80, seed=5)
    tokenizer = fast_tokenizer(plain.train)
    base = pretrained(plain, tokenizer, steps=60, tie_word_embeddings=False)
    write_base(folder / "base", base, tokenizer)
    model = get_peft_model(base, LoraConfig(r=8, lora_alpha=16, target_modules=ADAPTED, task_type="CAUSAL_LM"))
    model.peft_config["default"].base_model_name_or_path = str(folder / "base")
    model.enable_input_require_grads = model.get_base_model().enable_input_require_grads = lambda *_, **__: None
    write_data(folder, more)
    again = {"gradient_checkpointing": True, "gradient_checkpointing_kwargs": {"use_reentrant": True}}
    run_trainer(folder, model, tokenizer, more, steps=100, rate=2e-3, **again)
