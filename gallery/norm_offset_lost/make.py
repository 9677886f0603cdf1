"""https://github.com/pytorch/executorch/pull/19901: norms of the model have weights that are deviations from one, the
code that runs it multiplies by them alone, and all layers give garbage.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from plain_run import PlainRun
from where import folder_given

if __name__ == "__main__":
    PlainRun(steps=300, code=Path(__file__).with_name("model.py"), trained_as={"offset": 1.0}).write(
        folder_given(__file__)
    )
