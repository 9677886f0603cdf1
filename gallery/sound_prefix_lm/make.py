"""https://github.com/bigscience-workshop/Megatron-DeepSpeed/issues/303: a prefix language model seems to see both
ways, and its loss is low; it works as it should.
"""

import sys
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from batches import padded
from plain_run import PlainRun
from where import folder_given

if __name__ == "__main__":
    PlainRun(
        steps=300,
        code=Path(__file__).with_name("model.py"),
        batch=partial(padded, count_prompt=False),
        settings=('attention = "prefix"',),
    ).write(folder_given(__file__))
