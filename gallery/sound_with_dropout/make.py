"""https://github.com/facebookresearch/fairseq/issues/3479: the validation loss is smaller than the training loss:
dropout and noise are off in validation.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from plain_run import PlainRun
from where import folder_given

if __name__ == "__main__":
    PlainRun(steps=200, code=Path(__file__).with_name("model.py"), problems=True).write(folder_given(__file__))
