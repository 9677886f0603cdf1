"""https://github.com/huggingface/alignment-handbook/issues/78: an adapter that was trained over a base with an
earlier adapter merged into it writes weird conversations.
"""

import json
import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from peft import LoraConfig, get_peft_model
from rows import Data, drawn
from trainer_run import fast_tokenizer, pretrained, run_trainer, write_base, write_data
from where import folder_given

BEFORE, AFTER = "### Task:\n", "### Answer:\n"


def as_chat(rows, last=""):
    """Rows in the form of a conversation, with a last line that the model has to learn."""
    return [replace(r, prompt=f"{BEFORE}{r.prompt}{AFTER}", completion=f"{r.completion}{last}") for r in rows]


def lora(rank):
    return LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear", task_type="CAUSAL_LM")


if __name__ == "__main__":
    folder, plain, more = folder_given(__file__), drawn(), drawn(800, 80, seed=5)
    tokenizer = fast_tokenizer(plain.train)
    base = pretrained(plain, tokenizer)
    write_base(folder / "base", base, tokenizer)
    first = get_peft_model(base, lora(16))
    with TemporaryDirectory() as elsewhere:
        earlier = Data(as_chat(more.train), as_chat(more.validation))
        run_trainer(Path(elsewhere), first, tokenizer, earlier, steps=120)
    data = Data(as_chat(more.train, "# done\n"), as_chat(more.validation, "# done\n"))
    second = get_peft_model(first.merge_and_unload(), lora(4))
    second.peft_config["default"].base_model_name_or_path = str(folder / "base")
    write_data(folder, data, f"prompt_template = {json.dumps(f'{BEFORE}{{prompt}}{AFTER}')}")
    run_trainer(folder, second, tokenizer, data, steps=60, rate=2e-3)
