"""https://github.com/TransformerLensOrg/TransformerLens/issues/1005: the own generate() of a library does not mask the
padding of a batch, so that a shorter prompt gets another answer than by itself.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from plain_run import PlainRun
from where import folder_given

if __name__ == "__main__":
    run = PlainRun(steps=300, code=Path(__file__).with_name("model.py"), settings=('generate = "generate"',))
    run.write(folder_given(__file__))
