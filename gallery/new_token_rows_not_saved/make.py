"""https://github.com/artidoro/qlora/issues/214: new tokens are added, their embeddings are trained but not saved
with the adapter, and the reloaded model is worse.
"""

import sys
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from peft import LoraConfig, get_peft_model
from rows import Data, drawn
from trainer_run import fast_tokenizer, pretrained, run_trainer, write_base, write_data
from where import folder_given

USER, ASSISTANT = "<|user|>", "<|assistant|>"


def as_turns(rows):
    """Rows as two turns."""
    return [replace(row, prompt=f"{USER}{row.prompt}{ASSISTANT}") for row in rows]


if __name__ == "__main__":
    folder, plain, more = folder_given(__file__), drawn(), drawn(800, 80, seed=5)
    tokenizer = fast_tokenizer(plain.train)
    base = pretrained(plain, tokenizer)
    write_base(folder / "base", base, tokenizer)
    tokenizer.add_special_tokens({"additional_special_tokens": [USER, ASSISTANT]})
    lora = LoraConfig(r=8, lora_alpha=16, target_modules=["q_proj", "v_proj", "o_proj"], task_type="CAUSAL_LM")
    model = get_peft_model(base, lora)
    model.peft_config["default"].base_model_name_or_path = str(folder / "base")
    model.get_input_embeddings().weight.requires_grad = True
    data = Data(as_turns(more.train), as_turns(more.validation))
    write_data(folder, data, f'prompt_template = "{USER}{{prompt}}{ASSISTANT}"')
    run_trainer(folder, model, tokenizer, data, steps=120, rate=3e-3)
