"""https://github.com/pegainfer-project/pegainfer/pull/544: a checkpoint has a head of its own, and the code that
loads it uses the embedding in its place.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from plain_run import PlainRun
from where import folder_given

if __name__ == "__main__":
    PlainRun(steps=100, code=Path(__file__).with_name("model.py"), trained_as={"tied": False}).write(
        folder_given(__file__)
    )
