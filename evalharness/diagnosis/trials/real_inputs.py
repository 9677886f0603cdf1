"""What the probes of the model itself feed it: real ids, and a model in which something moves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from evalharness.diagnosis.data.rows import MEASURED_ROWS
from evalharness.diagnosis.data.spread import evenly
from evalharness.diagnosis.trials.redrawn_copy import redrawn_copy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalharness.diagnosis.subject import Subject
    from evalharness.models.protocols import Tokenizer, TorchModel

NO_INPUTS = "there are no rows and no problems that the vocabulary spells: nothing real to feed the model"
LONGEST = 1024
"""Ids of a row are cut to this, so that a probe's cost does not grow with the context."""
SHORT = 64
"""Ids in which it is first looked for whether a token moves another position."""


def real_inputs(subject: Subject) -> tuple[tuple[int, ...], ...]:
    """Ids that the model is meant for: of the validation rows, of the training rows, of problems with their solutions.

    Of each up to ``MEASURED_ROWS``, cut to the context; rows with an id that the model has no row for are left out.
    """
    rows = []
    for problem in subject.problems[:MEASURED_ROWS]:
        ids = spelled(subject.tokenizer, problem.prompt + problem.canonical_solution)
        rows.append((*subject.begin_ids, *(ids or ())))
    return data_inputs(subject) + _usable(subject, rows)


def data_inputs(subject: Subject) -> tuple[tuple[int, ...], ...]:
    """The same of the validation and the training rows alone."""
    splits = [split for split in (subject.validation, subject.train) if split]
    return _usable(subject, [row.ids for split in splits for row in evenly(split.encoded, MEASURED_ROWS)])


def _usable(subject: Subject, rows: Sequence[tuple[int, ...]]) -> tuple[tuple[int, ...], ...]:
    limit = min(subject.model.context_length or LONGEST, LONGEST)
    known = range(subject.torch_model.vocabulary_rows)
    return tuple(row[:limit] for row in rows if len(row) > 1 and all(i in known for i in row))


def spelled(tokenizer: Tokenizer, text: str) -> list[int] | None:
    """The ids of a text, None where the vocabulary lacks a character of it."""
    try:
        return tokenizer.encode(text)
    except ValueError:
        return None


def of_one_length(rows: Sequence[tuple[int, ...]], count: int, length: int) -> list[tuple[int, ...]]:
    """``count`` rows of ``length`` ids: each begins with another of ``rows`` and goes on with those after it."""
    made = []
    for i in range(count):
        text: list[int] = []
        place = i * len(rows) // count
        while len(text) < length:
            text += rows[place % len(rows)]
            place += 1
        made.append(tuple(text[:length]))
    return made


def awake(model: TorchModel, rows: Sequence[tuple[int, ...]]) -> tuple[TorchModel, bool]:
    """The model, or a copy with its all-zero parameters drawn anew where in the model itself no token moves another.

    And whether a token does. An untrained model with a head of zeros gives the same however it is run, which would
    clear it of everything.
    """
    row = max(rows, key=len)
    # In a short row first: most models show it there, and a long row costs a long pass.
    if _moves(model, row[:SHORT]) or (len(row) > SHORT and _moves(model, row)):
        return model, True
    copy = redrawn_copy(model)
    return copy, _moves(copy, row)


def _moves(model: TorchModel, row: tuple[int, ...]) -> bool:
    """Whether the first token changes what is predicted at later positions."""
    other = next((i for i in row if i != row[0]), None)
    if other is None:
        return False
    ids = torch.tensor([row, (other, *row[1:])], device=model.device)
    one, two = model.logits(ids[:1])[0, 1:], model.logits(ids[1:])[0, 1:]
    return not bool((one == two).all())
