"""https://github.com/tensorflow/tensor2tensor/issues/671: metrics are good and decoding is bad: in training inputs
are attended to as a whole, and decoding does not do so.
"""

import sys
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from batches import padded
from plain_run import PlainRun
from where import folder_given


def with_prompt(module, batch):
    """The model told where each prompt ends, as it is in training alone."""
    return module(batch.inputs, batch.prompt_tokens)


if __name__ == "__main__":
    PlainRun(
        steps=150,
        code=Path(__file__).with_name("model.py"),
        batch=partial(padded, count_prompt=False),
        logits=with_prompt,
    ).write(folder_given(__file__))
