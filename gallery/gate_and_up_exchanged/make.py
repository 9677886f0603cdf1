"""https://github.com/ml-explore/mlx-lm/pull/767: a wrapper computes silu(x) * gate where the model was trained with
silu(gate) * x.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from plain_run import PlainRun
from where import folder_given

if __name__ == "__main__":
    PlainRun(steps=300, code=Path(__file__).with_name("model.py"), trained_as={"activated": "gate"}).write(
        folder_given(__file__)
    )
