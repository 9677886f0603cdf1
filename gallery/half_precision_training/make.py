"""https://github.com/jzhang38/TinyLlama/issues/153: fine-tuning in fp16 logs a training loss of 0 and an evaluation
loss of nan.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import torch
from rows import drawn
from trainer_run import fast_tokenizer, pretrained, run_trainer, write_data
from where import folder_given

if __name__ == "__main__":
    folder, data = folder_given(__file__), drawn()
    tokenizer = fast_tokenizer(data.train)
    model = pretrained(data, tokenizer, steps=100).to(torch.float16)
    write_data(folder, data)
    run_trainer(folder, model, tokenizer, data, steps=50, rate=5e-2)
