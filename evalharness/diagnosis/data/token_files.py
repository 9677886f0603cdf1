"""Files of token ids, as nanoGPT and llm.c train on: ``.bin``, 16 or 32 bits an id, one document after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from evalharness.diagnosis.data.rows import DataRow, TokenRow
from evalharness.diagnosis.data.spread import every
from evalharness.errors import EvalHarnessError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from evalharness.models.protocols import Tokenizer

    Ids = np.ndarray[Any, np.dtype[Any]]

MOST_PIECES = 4_000
"""Pieces of the context's length that are read, evenly from the whole file."""
USUAL_LENGTH = 1_024
"""The length of a piece where no context is known."""

# llm.c's header: 256 numbers of 32 bits, of which the first tells how many bits an id has.
_HEADER_BYTES = 256 * 4
_KINDS_OF_LLM_C: dict[int, np.dtype[Any]] = {20240520: np.dtype("<u2"), 20240801: np.dtype("<u4")}
_MOST_OF_16_BITS = 65_536


def is_token_file(path: Path) -> bool:
    """Whether a file holds token ids by its name: ``.bin``, or an array of numpy."""
    return path.suffix in {".bin", ".npy"}


def read_token_rows(
    path: Path, tokenizer: Tokenizer, context_length: int | None, say: Callable[[str], None]
) -> tuple[list[DataRow], list[TokenRow]]:
    """Read pieces of one id more than the context, as training cuts them: inputs, and the targets one further.

    Raises EvalHarnessError where the file can't be read, or has ids that the tokenizer lacks.
    """
    ids = _ids(path, tokenizer)
    length = (context_length or USUAL_LENGTH) + 1
    count = max(1, len(ids) // length)
    chosen = every(count, MOST_PIECES)
    pieces = [tuple(map(int, ids[i * length : (i + 1) * length])) for i in chosen]
    largest = max(max(piece) for piece in pieces)
    if largest >= tokenizer.vocab_size:
        raise EvalHarnessError(
            f"{path}: holds the id {largest}, but the tokenizer has {tokenizer.vocab_size} tokens: is it of this data?"
        )
    if count > len(chosen):
        say(f"{path.name}: {len(chosen):,} of {count:,} pieces of {length} ids are read, evenly drawn from the file")
    rows = [DataRow("", tokenizer.decode(piece), running=True) for piece in pieces]
    kept = context_length or length
    return rows, [TokenRow(piece[:kept], 1, 0, i, len(piece)) for i, piece in enumerate(pieces) if len(piece) > 1]


def each_token_text(path: Path, tokenizer: Tokenizer) -> Iterator[str]:
    """The text of the whole file, in pieces."""
    ids = _ids(path, tokenizer)
    for begin in range(0, len(ids), USUAL_LENGTH):
        yield tokenizer.decode([int(i) for i in ids[begin : begin + USUAL_LENGTH]])


def _ids(path: Path, tokenizer: Tokenizer) -> Ids:
    try:
        if path.suffix == ".npy":
            return _flat(path, np.load(path, mmap_mode="r"))
        size = path.stat().st_size
        first = np.fromfile(path, "<i4", 1)
        known = _KINDS_OF_LLM_C.get(int(first[0])) if len(first) and size > _HEADER_BYTES else None
        kind: np.dtype[Any] = known or np.dtype("<u2" if tokenizer.vocab_size <= _MOST_OF_16_BITS else "<u4")
        offset = _HEADER_BYTES if known else 0
        if size - offset < 2 * kind.itemsize:
            raise EvalHarnessError(f"{path}: no token ids in it")
        ids: Ids = np.memmap(path, kind, "r", offset, ((size - offset) // kind.itemsize,))
    except (OSError, ValueError) as error:
        raise EvalHarnessError(f"{path}: can't be read as token ids: {error}") from error
    return ids


def _flat(path: Path, ids: Ids) -> Ids:
    if ids.dtype.kind not in "iu" or ids.size < 2:
        raise EvalHarnessError(f"{path}: holds {ids.size} values of {ids.dtype}, expected token ids")
    return ids.reshape(-1)
