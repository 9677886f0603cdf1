"""https://github.com/hiyouga/LlamaFactory/issues/1530: the rows are read line by line and put together without their
line breaks, so that the model never ends a line.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from plain_run import PlainRun
from small_tokenizer import apart
from where import folder_given


def without_line_breaks(encode, rows):
    """Rows as the loader puts them together."""
    return apart(lambda text: encode("".join(text.splitlines())), rows)


if __name__ == "__main__":
    PlainRun(steps=300, encode=without_line_breaks, problems=True).write(folder_given(__file__))
