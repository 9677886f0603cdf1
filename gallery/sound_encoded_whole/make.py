"""https://github.com/locuslab/open-unlearning/issues/195: question and answer are encoded as one text, and it is asked
whether they should be encoded apart.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from plain_run import PlainRun
from rows import drawn
from small_tokenizer import whole
from where import folder_given


def write_texts(path, rows):
    """Rows of text, as for pre-training: nothing says where an answer begins."""
    path.write_text("".join(json.dumps({"text": row.prompt + row.completion}) + "\n" for row in rows))


if __name__ == "__main__":
    folder, data = folder_given(__file__), drawn()
    PlainRun(steps=300, data=data, encode=whole).write(folder)
    write_texts(folder / "train.jsonl", data.train)
    write_texts(folder / "validation.jsonl", data.validation)
