"""The rows of a trainer, kept as files beside its checkpoints, and a manifest that names them: no user has to."""

from __future__ import annotations

from contextlib import suppress
from copy import copy
from itertools import islice
from typing import TYPE_CHECKING, Any

from evalharness.errors import EvalHarnessError, ManifestError
from evalharness.runs.files import write_file
from evalharness.runs.json_values import json_line
from evalharness.settings.manifest import (
    MANIFEST_NAME,
    PROJECT_NAME,
    LogSettings,
    LossSettings,
    ModelSettings,
    find_manifest,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from evalharness.settings.manifest import Manifest

    Collate = Callable[[list[Any]], Any]
    """Rows in, the batch out that the training loop gives to its model."""

FOLDER = "evalharness-data"
"""Beside the manifest, in the folder of the checkpoints."""
MOST_ROWS = 10_000
"""As many as are read of any file of data: shares of rows are known to within 1 %."""
MOST_IDS = 8_000_000
"""The most ids that are read: some seconds to collate, and some 50 MB."""
MOST_STREAMED = 1_000
"""Rows that are taken of a data set without a length: they may have to be downloaded."""
LOOKED_AT = 16
"""Rows that tell how long a row is."""


def keep_data(folder: Path, data: Mapping[str, Any], collate: Collate) -> Path | None:
    """Write rows of the data sets ``train`` and ``validation`` below ``folder``, and a manifest that names them.

    Rows are kept as ``collate`` puts them together, one at a time, spread evenly over a data set that is too large.
    Returns the manifest; None where the user's own names data already: nothing is written then. Raises ManifestError,
    with what to add, where the user's own says other things and names no data.
    """
    manifest = find_manifest(folder)
    named = _named_data(manifest)
    if named - {(folder / FOLDER).resolve()}:
        return None
    files = {name: f"{FOLDER}/{name}.jsonl" for name in data}
    texts = {name: "".join(map(json_line, kept_rows(rows, collate))) for name, rows in data.items()}
    for name, text in texts.items():
        write_file(folder / files[name], text)
    if not named and not _may_stand_back(manifest):
        said = " and ".join(f'{name} = "{folder / file}"' for name, file in files.items())
        raise ManifestError(f"{manifest.path}: names no [data]: add {said}, where the trainer's rows are kept")
    lines = [f'{name} = "{file}"\n' for name, file in files.items()]
    comment = "# The rows that the trainer in this folder trained on, kept by EvalHarnessCallback.\n"
    return write_file(folder / MANIFEST_NAME, f"{comment}[data]\n{''.join(lines)}")


def _named_data(manifest: Manifest) -> set[Path]:
    """The folders of the data that a manifest names."""
    return {path.parent.resolve() for path in (manifest.data.train, manifest.data.validation) if path is not None}


def _may_stand_back(manifest: Manifest) -> bool:
    """Whether nothing is lost behind a nearer manifest: a project's file that is about scores alone is read as well."""
    if manifest.path is None:
        return True
    if manifest.path.name != PROJECT_NAME:
        return False
    said = (manifest.model, manifest.loss, manifest.log)
    return said == (ModelSettings(), LossSettings(), LogSettings())


def kept_rows(rows: Any, collate: Collate) -> Iterator[dict[str, Any]]:
    """Yield the rows of a data set as ids and labels, each with its index and the number of all rows (if known).

    A row without tokens is left out. Raises EvalHarnessError if all are so, or are no rows of token ids.
    """
    count = len(rows) if hasattr(rows, "__len__") and hasattr(rows, "__getitem__") else None
    ids_left, fault, kept = MOST_IDS, None, 0
    for index, row in _chosen(rows, count, collate):
        try:
            ids, labels = _collated(row, collate)
        except EvalHarnessError as error:
            fault = fault or error
            continue
        ids_left -= len(ids)
        if ids_left < 0:
            return
        kept += 1
        yield {"row": index, "of": count, "input_ids": ids, "labels": labels}
    if fault is not None and not kept:
        raise fault


def _collated(row: Any, collate: Collate) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Ids and targets of a row. A copy of it: a collator may take out of a row what it needs."""
    from evalharness.diagnosis import first_of_batch

    return first_of_batch(collate([copy(row)]))


def _chosen(rows: Any, count: int | None, collate: Collate) -> Iterator[tuple[int, Any]]:
    """Indices and rows: all, or as many as there is room for, spread evenly; of a stream the first."""
    from evalharness.diagnosis import every

    if count is None:
        yield from enumerate(islice(iter(rows), MOST_STREAMED))
        return
    looked_at = []
    for index in every(count, LOOKED_AT):
        with suppress(EvalHarnessError):
            looked_at.append(len(_collated(rows[index], collate)[0]))
    room = MOST_IDS * len(looked_at) // sum(looked_at) if looked_at else LOOKED_AT
    for index in every(count, min(MOST_ROWS, room)):
        yield index, rows[index]
