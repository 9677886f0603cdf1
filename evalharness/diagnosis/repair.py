"""What a repair is: the same checkpoint with one thing changed, in memory only."""

from __future__ import annotations

import importlib
import pkgutil
from collections import Counter
from contextlib import nullcontext
from dataclasses import dataclass, field
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from evalharness.diagnosis import repairs
from evalharness.records import Severity  # noqa: TC001 - part of a record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from torch import nn

    from evalharness.diagnosis.data.rows import TokenRow
    from evalharness.diagnosis.subject import Subject


def _nothing_further() -> Iterable[Repair]:
    return ()


def _nothing_around(_row: TokenRow) -> AbstractContextManager[Any]:
    return nullcontext()


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """One thing changed. Every file in ``repairs/`` yields its own from a function ``repairs(subject)``.

    ``kind``: what is changed, one word. ``words``: what with, to go after "with": ```rope_theta` = 500,000``.
    ``change`` makes the change to a module as a context manager, and undoes it. ``place``: the configuration's key, or
    the path of the module. ``remedy``: what the user has to change. ``settings``: keys and values for the
    configuration, dots between nested keys; empty if no key says it. ``present``: what stands there now, by the same
    keys or by the path of an attribute. ``file``: the name of the file that has the keys, where it is known.
    ``begin_ids`` go before each row in place of those that stand there, if they are not None. ``encode`` gives the ids
    of a text in place of the tokenizer, if it is not None; the rows are then the same texts in other tokens.
    ``around_row`` is entered while a row is read, for what differs from row to row. ``lowers``: what is undone is a
    fault, so that the loss falls; the others may also raise it to what was logged, and have to give the log within the
    share ``tolerance``. ``sharp``: it can only raise the loss of a sound model, so that a much lower one proves a
    fault; further training, another scale or other weights may lower it. ``all_or_nothing``: that it goes a part of
    the way to the log tells nothing, for it does so in many a model that has another fault. ``severity``: that of the
    finding if it is proven. ``further``: what to try on top if this is the best of its kind. ``null`` makes, from a
    seed, a repair of the same kind in a place where nothing is wrong; without one, the same tensors are changed at
    random.
    """

    kind: str
    words: str
    place: str
    remedy: str
    change: Callable[[nn.Module], AbstractContextManager[None]]
    settings: Mapping[str, Any] = field(default_factory=dict)
    present: Mapping[str, Any] = field(default_factory=dict)
    file: str = ""
    begin_ids: tuple[int, ...] | None = None
    encode: Callable[[str], list[int]] | None = None
    around_row: Callable[[TokenRow], AbstractContextManager[Any]] = _nothing_around
    lowers: bool = True
    sharp: bool = False
    all_or_nothing: bool = False
    tolerance: float = 0.003
    severity: Severity = "cause"
    further: Callable[[], Iterable[Repair]] = _nothing_further
    null: Callable[[int], Repair] | None = None


def every_repair(subject: Subject) -> Iterator[Repair]:
    """All repairs that the checkpoint has a place for, kind by kind."""
    for module in pkgutil.iter_modules(repairs.__path__, f"{repairs.__name__}."):
        yield from importlib.import_module(module.name).repairs(subject)


def in_turns(repairs: Iterable[Repair]) -> list[Repair]:
    """The first of each kind, then the second of each: a search that has to end has then tried some of every kind."""
    seen: Counter[str] = Counter()
    turns: list[tuple[int, Repair]] = []
    for repair in repairs:
        turns.append((seen[repair.kind], repair))
        seen[repair.kind] += 1
    return [repair for _, repair in sorted(turns, key=itemgetter(0))]
