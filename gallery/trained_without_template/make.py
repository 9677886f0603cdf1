"""https://github.com/dvgodoy/FineTuningLLMs/issues/5: the trainer does not put the rows into the chat template, the
model is asked in it, and the answers are broken.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from dataclasses import replace

from peft import LoraConfig, get_peft_model
from rows import Data, drawn, write_problems
from trainer_run import fast_tokenizer, pretrained, run_trainer, write_base, write_data
from where import folder_given

TURN_ENDS = "<|end|>"
TEMPLATE = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>\n' + message['content'] + '<|end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}"
)


def as_chat(rows):
    """What the chat model was pretrained on: a question and an answer in turns."""
    return [
        replace(row, prompt=f"<|user|>\n{row.prompt}{TURN_ENDS}\n<|assistant|>\n", completion=row.completion)
        for row in rows
    ]


def signed(rows):
    """Another way to answer, which the adapter has to learn."""
    return [replace(row, completion=f"    # done\n{row.completion}") for row in rows]


if __name__ == "__main__":
    folder, plain, more = folder_given(__file__), drawn(), drawn(800, 80, seed=5)
    chats = Data(as_chat(plain.train), as_chat(plain.validation))
    tokenizer = fast_tokenizer(plain.train)
    tokenizer.chat_template = TEMPLATE
    base = pretrained(chats, tokenizer, steps=200)
    write_base(folder / "base", base, tokenizer)
    data = Data(signed(more.train), signed(more.validation))
    model = get_peft_model(base, LoraConfig(r=8, lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM"))
    model.peft_config["default"].base_model_name_or_path = str(folder / "base")
    write_data(folder, data)
    write_problems(folder / "problems.jsonl", drawn(1, 20, seed=7).validation)
    with (folder / "evalharness.toml").open("a", encoding="utf-8") as manifest:
        manifest.write('\n[score]\nproblems = "problems.jsonl"\nchat = "always"\n')
    run_trainer(folder, model, tokenizer, data, steps=200, rate=2e-3)
