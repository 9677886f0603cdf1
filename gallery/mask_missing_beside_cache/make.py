"""https://github.com/QwenLM/Qwen/issues/979: beside a cache no mask is made, so that several tokens that are given at
once see each other, and get other logits than one by one.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from modeling_own import OwnConfig, OwnGPT
from rows import drawn
from trainer_run import fast_tokenizer, run_trainer, write_data
from where import folder_given

if __name__ == "__main__":
    folder, data = folder_given(__file__), drawn()
    tokenizer = fast_tokenizer(data.train)
    OwnConfig.register_for_auto_class()
    OwnGPT.register_for_auto_class("AutoModelForCausalLM")
    model = OwnGPT(OwnConfig(vocab_size=len(tokenizer), eos_token_id=0, pad_token_id=1))
    write_data(folder, data)
    run_trainer(folder, model, tokenizer, data, steps=150)
