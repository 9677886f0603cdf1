"""What is known of one completion that is analysed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalharness.records import DEFAULT_LANGUAGE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalharness.records import StopReason


@dataclass(frozen=True, slots=True)
class CompletionText:
    """One completion as it is analysed: what was written, and whatever else is known of it.

    ``token_ids`` are the ids that ``text`` was decoded from, ``token_entropy_nats`` one value for each of them.
    Without a ``stop_reason`` it is not known whether the model ended by itself. ``prompt`` is what ``text`` goes on
    from, and ``task_id`` says which completions are of one problem. ``language`` is the
    programming language of the problem.
    """

    text: str
    token_ids: Sequence[int] | None = None
    token_entropy_nats: Sequence[float] | None = None
    stop_reason: StopReason | None = None
    prompt: str | None = None
    task_id: str | None = None
    language: str = DEFAULT_LANGUAGE
