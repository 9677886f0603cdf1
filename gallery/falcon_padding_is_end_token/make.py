"""https://openillumi.com/?p=60527: a fine-tuned Falcon never stops; it has no padding token, and the end token was
taken for it.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from batches import Batch
from rows import drawn
from small_tokenizer import END_ID
from trainer_run import SPARE, fast_tokenizer, run_trainer, write_data
from transformers import DataCollatorForLanguageModeling, FalconConfig, FalconForCausalLM, set_seed
from where import folder_given

if __name__ == "__main__":
    folder, data = folder_given(__file__), drawn()
    tokenizer = fast_tokenizer(data.train)
    tokenizer.pad_token = tokenizer.eos_token
    collator = DataCollatorForLanguageModeling(tokenizer, mlm=False)

    def collated(rows):
        made = collator([{"input_ids": list(row.ids)} for row in rows])
        return Batch(made["input_ids"], made["labels"], None)

    set_seed(1)
    shape = {"vocab_size": SPARE, "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    model = FalconForCausalLM(FalconConfig(**shape, bos_token_id=END_ID, eos_token_id=END_ID, pad_token_id=END_ID))
    write_data(folder, data)
    run_trainer(folder, model, tokenizer, data, steps=250, batch=collated)
