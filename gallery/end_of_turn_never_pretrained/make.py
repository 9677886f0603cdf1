"""https://github.com/hiyouga/LlamaFactory/issues/5834: an adapter over a base model is trained in the template of the
chat model, whose end of turn the base never learned, and its answers go wrong; the template with the base's own end
token works.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import torch
from batches import padded
from peft import LoraConfig, get_peft_model
from rows import drawn
from small_tokenizer import Encoded, apart
from trainer_run import fast_tokenizer, ids_of, pretrained, run_trainer, write_base
from where import folder_given

TURN_ENDS = "<|eot_id|>"
TURN_BEGINS = ["<|user|>", "<|assistant|>"]
TEMPLATE = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] + '<|eot_id|>' }}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def messages(row):
    """A row as a conversation."""
    return [{"role": "user", "content": row.prompt}, {"role": "assistant", "content": row.completion}]


def write_chats(path, rows):
    """One conversation a line."""
    path.write_text("".join(json.dumps({"messages": messages(row)}) + "\n" for row in rows), encoding="utf-8")


def chat(tokenizer, row):
    """A conversation as ids, and how many of them come before the answer."""
    texts = (
        tokenizer.apply_chat_template(messages(row), tokenize=False),
        tokenizer.apply_chat_template(messages(row)[:1], tokenize=False, add_generation_prompt=True),
    )
    whole, prompt = (ids_of(tokenizer)(text) for text in texts)
    return Encoded(tuple(whole), len(prompt))


def forget(model, ids):
    """Rows of tokens that pretraining never saw: close to nothing, as weight decay leaves them."""
    with torch.no_grad():
        for layer in (model.get_input_embeddings(), model.get_output_embeddings()):
            layer.weight[ids] = 1e-4 * torch.randn(len(ids), layer.weight.shape[1])


if __name__ == "__main__":
    folder, plain, data = folder_given(__file__), drawn(), drawn(1200, 100, seed=5)
    tokenizer = fast_tokenizer(plain.train)
    model = pretrained(plain, tokenizer, tie_word_embeddings=False)
    forget(model, list(range(len(tokenizer), model.config.vocab_size)))
    tokenizer.add_special_tokens({"extra_special_tokens": [TURN_ENDS, *TURN_BEGINS]})
    write_base(folder / "base", model, tokenizer)
    tokenizer.add_special_tokens({"eos_token": TURN_ENDS})
    tokenizer.chat_template = TEMPLATE
    lora = LoraConfig(r=8, lora_alpha=16, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM")
    model = get_peft_model(model, lora)
    model.peft_config["default"].base_model_name_or_path = str(folder / "base")
    write_chats(folder / "train.jsonl", data.train)
    write_chats(folder / "validation.jsonl", data.validation)
    (folder / "evalharness.toml").write_text('[data]\ntrain = "train.jsonl"\nvalidation = "validation.jsonl"\n')
    rows = [*data.train, *data.validation]
    encoded = apart(ids_of(tokenizer), rows)
    as_chat = {own.ids: chat(tokenizer, row) for own, row in zip(encoded, rows, strict=True)}

    def of_answers(given):
        return padded([as_chat[own.ids] for own in given], count_prompt=False)

    run_trainer(folder, model, tokenizer, data, steps=150, rate=2e-3, batch=of_answers)
