"""https://github.com/pytorch/pytorch/issues/4741: a network with batch normalisation is good while it takes
statistics of the batch, and bad after model.eval().
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from plain_run import PlainRun
from where import folder_given

if __name__ == "__main__":
    PlainRun(steps=120, code=Path(__file__).with_name("model.py"), validate_in_eval_mode=False).write(
        folder_given(__file__)
    )
