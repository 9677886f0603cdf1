"""What the write-up's own files show, without any training: its base's log, what its base wrote, and its rows."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from measured import Original
from stages import Data
from tokenizers import Tokenizer

from evalharness.records import Interval

SIGNS, WRITTEN, ENDS = "log_signs.json", "completions.jsonl", "row_ends.json"


def examine(seed: Path, folder: Path, evalharness: Callable[..., str]) -> None:
    """Have evalharness read the files in ``seed``, and keep what it says; no row of them is kept."""
    folder.mkdir(parents=True, exist_ok=True)
    signs = evalharness("triage", str(seed / "v1_log.jsonl"), "--json")
    written = evalharness("analyse", str(seed / "v1_token_completions.jsonl"), "--json")
    ends = newline_ends(Data(seed), "v2_train.jsonl")
    for name, text in ((SIGNS, signs), (WRITTEN, written), (ENDS, json.dumps(ends))):
        (folder / name).write_text(text, encoding="utf-8")


def newline_ends(data: Data, name: str) -> list[bool]:
    """Of each row of a file, as it is trained on, whether its last token is a newline."""
    newline = Tokenizer.from_file(str(data.folder / "tokenizer.json")).encode("\n").ids
    return [row[-1:] == newline for row in data.rows(name)]


def read_original(folder: Path) -> Original:
    signs, ends = (json.loads((folder / name).read_text(encoding="utf-8")) for name in (SIGNS, ENDS))
    summary = json.loads((folder / WRITTEN).read_text(encoding="utf-8").splitlines()[-1])
    (floor,) = (sign["evidence"] for sign in signs["findings"] if sign["probe"] == "smoothing_floor")
    return Original(
        logged=floor["last_nats"],
        floor=floor["floor_nats"],
        smoothing=floor["strength"],
        completions=summary["completions"],
        degenerate=Interval(**summary["degenerate"]),
        rows=len(ends),
        ends_in_newline=sum(ends),
    )
