"""Rows of token ids, as trainers keep them: ``input_ids``, with ``labels`` or a mask that says what counts.

A tokenized data set of transformers or TRL is such a file, and so are the rows that a trainer's callback keeps.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from evalharness.diagnosis.data.data_files import each_record, read_records
from evalharness.diagnosis.data.rows import DataRow, TokenRow
from evalharness.diagnosis.data.training_batch import IGNORED, read_batch
from evalharness.errors import EvalHarnessError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from evalharness.models.protocols import Tokenizer

ROWS_OF_DATA = "of"
"""The key of the number of rows of the whole data, in a file that holds only some of them."""


@dataclass(frozen=True, slots=True)
class IdRows:
    """The rows of a file of ids, as text and as ids; ``not_kept`` rows of the data are not in the file."""

    rows: tuple[DataRow, ...]
    encoded: tuple[TokenRow, ...]
    not_kept: int = 0


def holds_ids(path: Path) -> bool:
    """Whether the first record of a file is a row of ids."""
    return any(_is_of_ids(record) for _, record in _first(each_record(path)))


def read_id_rows(
    path: Path, tokenizer: Tokenizer, context_length: int | None, say: Callable[[str], None] = lambda _: None
) -> IdRows:
    """Read rows of ids, cut to the context. What is masked before the first target is the prompt.

    Each stretch of targets is a row of its own, after all that stands before it. Of a pair of preferences the chosen
    completion is read. Raises :class:`EvalHarnessError` where a row has no ids, or ids that the tokenizer lacks.
    """
    rows: list[DataRow] = []
    encoded: list[TokenRow] = []
    records = read_records(path, say)
    for place, record in records:
        ids, targets = _ids_and_targets(path, place, record)
        if max(ids) >= tokenizer.vocab_size:
            raise EvalHarnessError(
                f"{path}: {place} has the id {max(ids)}, but the tokenizer has {tokenizer.vocab_size} tokens: "
                "is it of this data?"
            )
        for first, end in counted_stretches(targets):
            encoded += _cut(ids[:end], first, len(rows), context_length)
        prompt = next((first for first, _ in counted_stretches(targets)), 0)
        rows.append(DataRow(tokenizer.decode(ids[:prompt]), tokenizer.decode(ids[prompt:]), rendered=True))
    whole = max((record.get(ROWS_OF_DATA) or 0 for _, record in records), default=0)
    return IdRows(tuple(rows), tuple(encoded), max(0, whole - len(rows)))


def each_id_text(path: Path, tokenizer: Tokenizer) -> Iterator[str]:
    """The text of every row of a file of ids."""
    for place, record in each_record(path):
        yield tokenizer.decode(_ids_and_targets(path, place, record)[0])


def first_of_batch(given: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The ids and the targets of the first row of a batch, without its padding; all count where it has no targets.

    Of a pair of preferences the first is the chosen one. Raises as :func:`read_batch` does.
    """
    batch = read_batch(given)
    return batch.rows()[0], batch.attended_of(batch.targets or batch.inputs)[0]


def counted_stretches(targets: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield where each run of targets that count begins and ends."""
    place = 0
    for counts, run in groupby(target != IGNORED for target in targets):
        begin, place = place, place + len(list(run))
        if counts:
            yield begin, place


def _cut(ids: tuple[int, ...], first: int, row: int, context_length: int | None) -> Iterator[TokenRow]:
    kept = ids[:context_length]
    if len(kept) > max(1, first):
        yield TokenRow(kept, max(1, first), first, row, len(ids))


def _ids_and_targets(path: Path, place: str, record: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    if not _is_of_ids(record):
        raise EvalHarnessError(f"{path}: {place} has no ids, as the first row has; expected input_ids")
    try:
        return first_of_batch({name: [value] for name, value in record.items() if isinstance(value, list) and value})
    except EvalHarnessError as error:
        raise EvalHarnessError(f"{path}: {place}: {error}") from error


def _is_of_ids(record: Any) -> bool:
    return isinstance(record, dict) and any(
        isinstance(value, list) and value and isinstance(value[0], int) and not isinstance(value[0], bool)
        for name, value in record.items()
        if name.endswith(_ID_KEYS)
    )


def _first(records: Iterator[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    for record in records:
        yield record
        return


_ID_KEYS = ("input_ids", "chosen_ids", "completion_ids")
