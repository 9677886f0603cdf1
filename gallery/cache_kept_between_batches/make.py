"""https://github.com/EleutherAI/gpt-neox/pull/532: the cache of keys and values is not cleared between the batches of a
generation, so that each goes on from the one before.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from plain_run import PlainRun
from where import folder_given

if __name__ == "__main__":
    run = PlainRun(steps=300, code=Path(__file__).with_name("model.py"), settings=('generate = "generate"',))
    run.write(folder_given(__file__))
