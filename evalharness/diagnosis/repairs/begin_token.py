"""Rows that begin with a begin token, or with none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalharness.diagnosis.repair import Repair
from evalharness.diagnosis.trials.swapping import no_change

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalharness.diagnosis.subject import Subject

AS_MANY = 4
"""More end tokens than this are no candidates for a begin token: a model of chat names a few."""


def repairs(subject: Subject) -> Iterator[Repair]:
    """No begin token, that of the model's configuration, or an end token, which is the begin of the next row."""
    config = getattr(subject.torch_model.module, "config", None)
    named = getattr(config, "bos_token_id", None)
    ends = sorted(subject.end_ids)[:AS_MANY]
    ways = [(), *([(named,)] if isinstance(named, int) else []), *((token_id,) for token_id in ends)]
    for begin in dict.fromkeys(ways):
        if begin == subject.begin_ids or any(not 0 <= i < subject.torch_model.vocabulary_rows for i in begin):
            continue
        said = f"the begin token {subject.tokenizer.decode(begin)!r}" if begin else "no begin token"
        yield Repair(
            kind="begin_token",
            words=f"{said} before each row",
            place="[model] begin_token",
            remedy=f"Give the model {said} before each prompt, as in training ([model] begin_token).",
            change=no_change,
            begin_ids=begin,
        )
