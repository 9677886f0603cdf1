"""https://github.com/vllm-project/vllm/issues/10798: an adapter that was trained with rank-stabilised scaling is
applied with the plain one, and the answers are not those of training.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from peft import LoraConfig, get_peft_model
from rows import Data, drawn
from trainer_run import fast_tokenizer, pretrained, run_trainer, write_base, write_data
from where import folder_given

if __name__ == "__main__":
    folder, plain = folder_given(__file__), drawn()
    more = drawn(800, 80, seed=5)
    tokenizer = fast_tokenizer(plain.train)
    base = pretrained(plain, tokenizer, steps=60)
    write_base(folder / "base", base, tokenizer)
    lora = LoraConfig(r=16, lora_alpha=16, use_rslora=True, target_modules="all-linear", task_type="CAUSAL_LM")
    model = get_peft_model(base, lora)
    model.peft_config["default"].base_model_name_or_path = str(folder / "base")
    write_data(folder, Data(more.train, more.validation))
    checkpoint = run_trainer(folder, model, tokenizer, more, steps=100, rate=2e-3)
    written = checkpoint / "adapter_config.json"
    settings = json.loads(written.read_text(encoding="utf-8"))
    written.write_text(json.dumps(settings | {"use_rslora": False}, indent=2), encoding="utf-8")
