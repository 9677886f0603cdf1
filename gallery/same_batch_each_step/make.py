"""https://github.com/wandb/examples/issues/444: each step takes next(iter(loader)), which is the first batch again and
again, for the rows are not shuffled. The training loss falls to nothing, and validation gets worse.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from plain_run import PlainRun
from rows import Data, drawn, write_rows
from small_tokenizer import trained_tokenizer
from where import folder_given

IN_BATCH = 16

if __name__ == "__main__":
    folder, data = folder_given(__file__), drawn()
    first = Data(data.train[:IN_BATCH], data.validation)
    PlainRun(
        steps=200, data=first, tokenizer=trained_tokenizer(data.train), rows_in_batch=IN_BATCH, problems=True
    ).write(folder)
    write_rows(folder / "train.jsonl", data.train)
