"""https://github.com/shibing624/MedicalGPT/issues/213: the head is wrapped in a Sequential to cast its output; once
saved and loaded the head is drawn at random.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from rows import drawn
from torch import nn
from trainer_run import fast_tokenizer, pretrained, run_trainer, write_data
from where import folder_given


class CastOutputToFloat(nn.Sequential):
    def forward(self, x):
        return super().forward(x).float()


if __name__ == "__main__":
    folder, data = folder_given(__file__), drawn()
    tokenizer = fast_tokenizer(data.train)
    model = pretrained(data, tokenizer, tie_word_embeddings=False)
    model.lm_head = CastOutputToFloat(model.lm_head)
    write_data(folder, data)
    run_trainer(folder, model, tokenizer, data, steps=20, rate=5e-4)
