"""https://github.com/pytorch/torchtitan/issues/1903: the checkpoint of step 0 is converted for transformers and writes
unreadable text; the run begins with random weights.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from batches import in_order, padded
from rows import drawn
from small_tokenizer import apart
from trainer_run import fast_tokenizer, ids_of, logits_of, small_llama, write_base, write_data
from training_loop import train
from where import folder_given

STEPS = 60


def titan_lines(log):
    """The log as the trainer prints it."""
    for point in log:
        yield f"[titan] - root - INFO - step: {point.step:2}  loss: {point.train_nats:7.4f}  grad_norm:  1.0000"


if __name__ == "__main__":
    folder, data = folder_given(__file__), drawn()
    tokenizer = fast_tokenizer(data.train)
    model = small_llama()
    write_base(folder / "step-0", model, tokenizer)
    write_data(folder, data)
    rows, validation = (apart(ids_of(tokenizer), own) for own in (data.train, data.validation))
    batches = [padded(own) for own in in_order(validation)]
    log = train(model, lambda rng: padded(rng.sample(rows, 16)), batches, steps=STEPS, logits=logits_of)
    (folder / "train.log").write_text("\n".join(titan_lines(log)) + "\n", encoding="utf-8")
