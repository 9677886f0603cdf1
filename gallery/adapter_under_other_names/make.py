"""https://github.com/vllm-project/vllm/issues/34186: an adapter was trained on a class that nests the language model
one level deeper, so that no name of its file fits and the base answers. The log ends at 1.25 nats per token; the base
has 1.47, and so has the adapter as loaded.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from peft import LoraConfig, get_peft_model
from rows import drawn
from safetensors.torch import load_file, save_file
from trainer_run import fast_tokenizer, pretrained, run_trainer, write_base, write_data
from where import folder_given

if __name__ == "__main__":
    folder, plain, more = folder_given(__file__), drawn(), drawn(800, 80, seed=5)
    tokenizer = fast_tokenizer(plain.train)
    base = pretrained(plain, tokenizer, steps=100)
    write_base(folder / "base", base, tokenizer)
    lora = LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM")
    model = get_peft_model(base, lora)
    model.peft_config["default"].base_model_name_or_path = str(folder / "base")
    write_data(folder, more)
    path = run_trainer(folder, model, tokenizer, more, steps=200, rate=5e-3) / "adapter_model.safetensors"
    nested = {name.replace(".model.layers.", ".model.language_model.layers."): w for name, w in load_file(path).items()}
    save_file(nested, path, metadata={"format": "pt"})
