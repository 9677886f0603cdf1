"""https://github.com/tensorflow/tensor2tensor/issues/671: metrics are good and decoding is bad: in training inputs
are attended to as a whole, and decoding does not do so.
"""

import sys
from functools import partial
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from batches import padded
from plain_run import PlainRun
from rows import NOUNS, Data, Row
from where import folder_given


def written(count, seed):
    """Functions of three numbers. What each is for stands behind it: a causal prompt learns it one token too late."""
    rng, made = Random(seed), {}
    while len(made) < count:
        times, more, least = rng.sample(range(2, 100), 3)
        says = [f"{times} times", f"{more} more", f"{least} at least"]
        rng.shuffle(says)
        name = f"scale_{rng.choice(NOUNS)}"
        prompt = f'def {name}(x):\n    """Return x, {", ".join(says)}."""\n'
        made[prompt] = Row(prompt, f"    return max({least}, x * {times} + {more})\n", name, "")
    return list(made.values())


def with_prompt(module, batch):
    """The model told where each prompt ends, as it is in training alone."""
    return module(batch.inputs, batch.prompt_tokens)


if __name__ == "__main__":
    rows = written(2000, 0)
    PlainRun(
        steps=400,
        code=Path(__file__).with_name("model.py"),
        data=Data(rows[100:], rows[:100]),
        batch=partial(padded, count_prompt=False),
        logits=with_prompt,
    ).write(folder_given(__file__))
