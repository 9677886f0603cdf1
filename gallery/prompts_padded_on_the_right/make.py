"""https://github.com/microsoft/DialoGPT/issues/20: prompts that are filled up on the right for a batch get terrible
answers: the padding stands between prompt and answer.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from plain_run import PlainRun
from where import folder_given

if __name__ == "__main__":
    run = PlainRun(steps=300, code=Path(__file__).with_name("model.py"), settings=('generate = "generate"',))
    run.write(folder_given(__file__))
