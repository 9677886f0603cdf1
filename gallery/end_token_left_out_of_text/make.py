"""https://github.com/Vasanthengineer4949/NLP-Projects-NHV/issues/4: a Phi-1.5 with a tuned adapter writes until the
limit; the texts that it was tuned on have no end token.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import json
from dataclasses import replace

from batches import blocks, in_order, padded
from peft import LoraConfig, get_peft_model
from rows import Data, drawn
from small_tokenizer import END_ID, whole
from trainer_run import SPARE, fast_tokenizer, ids_of, logits_of, run_trainer, write_base, write_data
from training_loop import train
from transformers import PhiConfig, PhiForCausalLM, set_seed
from where import folder_given

BEFORE, AFTER = "### Task:\n", "### Answer:\n"


def as_instructions(rows):
    """Rows in the form of an instruction."""
    return [replace(row, prompt=f"{BEFORE}{row.prompt}{AFTER}") for row in rows]


def without_end(encode, rows):
    """Texts as the preprocessing leaves them."""
    return [replace(row, ids=row.ids[:-1]) for row in whole(encode, rows)]


def pretrained_on_blocks(data, tokenizer):
    """A model that knows code as it stands in long files."""
    set_seed(1)
    shape = {"hidden_size": 64, "intermediate_size": 256, "num_hidden_layers": 2, "num_attention_heads": 4}
    model = PhiForCausalLM(
        PhiConfig(vocab_size=SPARE, max_position_embeddings=256, bos_token_id=END_ID, eos_token_id=END_ID, **shape)
    )
    rows, validation = (blocks(without_end(ids_of(tokenizer), own), 96) for own in (data.train, data.validation))
    batches = [padded(own) for own in in_order(validation)]
    train(model, lambda rng: padded(rng.sample(rows, 16)), batches, steps=200, logits=logits_of)
    return model


if __name__ == "__main__":
    folder, plain, more = folder_given(__file__), drawn(), drawn(800, 80, seed=5)
    tokenizer = fast_tokenizer(plain.train)
    base = pretrained_on_blocks(plain, tokenizer)
    write_base(folder / "base", base, tokenizer)
    data = Data(as_instructions(more.train), as_instructions(more.validation))
    model = get_peft_model(base, LoraConfig(r=8, lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM"))
    model.peft_config["default"].base_model_name_or_path = str(folder / "base")
    write_data(folder, data, f"prompt_template = {json.dumps(f'{BEFORE}{{prompt}}{AFTER}')}")
    run_trainer(folder, model, tokenizer, data, steps=120, rate=2e-3, encode=without_end)
