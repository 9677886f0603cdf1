"""https://github.com/Mikyx-1/TinyLLM/pull/18: generate() reads the whole prompt beside an empty cache, and beside a
cache there is no mask, so that a model with a low loss writes garbage.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from plain_run import PlainRun
from where import folder_given

if __name__ == "__main__":
    run = PlainRun(steps=300, code=Path(__file__).with_name("model.py"), settings=('generate = "generate"',))
    run.write(folder_given(__file__))
