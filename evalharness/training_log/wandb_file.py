"""W&B's own file of a run, ``run-ID.wandb``: records in LevelDB's frame, read with the package wandb."""

from __future__ import annotations

import importlib.util
import json
import struct
from typing import TYPE_CHECKING, Any

from evalharness.errors import LogError
from evalharness.training_log.columns import points
from evalharness.training_log.jsonl import flat
from evalharness.training_log.open_log import note_unread
from evalharness.training_log.own_names import ENOUGH_ROWS, RowPlans

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import BinaryIO

    from evalharness.records import LogPoint
    from evalharness.training_log.open_log import OpenLog

FORM = "W&B run file"
PRIORITY = 96
NAMES = ("*.wandb",)
FILE_HEADER_BYTES, BLOCK_BYTES = 7, 32_768
FRAME = struct.Struct("<IHB")
"""Checksum, length and kind of a piece; the kinds are whole, first, middle and last."""
WHOLE, FIRST, LAST = 1, 2, 4


def recognises(_head: Sequence[str]) -> bool:
    """Never: the files are binary, and known by their name."""
    return False


def read(log: OpenLog) -> Iterator[LogPoint]:
    """Yield the losses of the run's history. Raises :class:`LogError` where wandb is not installed."""
    if not log.path.is_file():
        raise LogError(f"{log.path}: can't be read: no such file")
    if importlib.util.find_spec("wandb") is None:
        raise LogError(
            f"{log.path}: a binary file of W&B needs its package: pip install wandb, or export the run as CSV"
        )
    rows = list(_rows(log))
    plans = RowPlans(log, rows[:ENOUGH_ROWS])
    for at, row in enumerate(rows):
        if plan := plans.of(row):
            yield from points(row, plan, f"{log.name}:history[{at}]")
    note_unread(log, (key for row in rows for key in row))


def _rows(log: OpenLog) -> Iterator[dict[str, Any]]:
    """The history: one row for each call of the logger."""
    from wandb.proto.wandb_internal_pb2 import Record  # noqa: PLC0415 - optional

    for content in _records(log):
        record = Record.FromString(content)
        if record.WhichOneof("record_type") == "history":
            items = record.history.item
            yield flat({item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in items})


def _records(log: OpenLog) -> Iterator[bytes]:
    """The records, put together from their pieces; what is being written at the end is left out."""
    with log.path.open("rb") as file:
        file.seek(FILE_HEADER_BYTES)
        pieces: list[bytes] = []
        for kind, piece in _pieces(file):
            pieces = [piece] if kind in {WHOLE, FIRST} else [*pieces, piece]
            if kind in {WHOLE, LAST}:
                yield b"".join(pieces)


def _pieces(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    while True:
        left = BLOCK_BYTES - file.tell() % BLOCK_BYTES
        if left < FRAME.size:
            file.seek(left, 1)
        header = file.read(FRAME.size)
        if len(header) < FRAME.size:
            return
        _, length, kind = FRAME.unpack(header)
        piece = file.read(length)
        if len(piece) < length or kind == 0:
            return
        yield kind, piece
