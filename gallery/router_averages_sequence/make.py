"""https://github.com/Shwai-He/MEO/issues/2: experts are chosen from the mean over the whole sequence, so past tokens
depend on future ones.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from plain_run import PlainRun
from where import folder_given

if __name__ == "__main__":
    PlainRun(steps=120, code=Path(__file__).with_name("model.py")).write(folder_given(__file__))
