"""What the names of columns, keys and tags mean, whichever tool wrote them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from evalharness.records import LossPoint, Split

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

STEPS = ("train_global_step", "trainer_global_step", "global_step", "step", "iter", "iteration", "iter_num")
"""The first that is there counts: W&B's ``_step`` counts calls of its logger, the trainer's own beside it steps."""
EPOCHS = ("epoch", "train_epoch")
TIMES = ("timestamp", "time_s", "wall_time", "walltime", "time", "datetime", "date")
SPLITS = ("split", "phase", "mode", "subset")
METRICS = ("metric", "key", "tag", "metric_key", "metric_name")
VALUE = "value"
_VALIDATION = ("val", "eval", "valid", "validation", "dev")
LOSSES: Mapping[Split, tuple[str, ...]] = {
    # Lightning splits what it logs both ways: train's steps are points of their own, its epochs are means of many.
    "train": (
        *("train_loss_step", "train_loss", "training_loss", "loss", "loss_nats"),
        *("loss_train", "train_loss_epoch"),
    ),
    # A validation is over all batches; what is logged of each batch of it is none.
    "validation": tuple(
        name for split in _VALIDATION for name in (f"{split}_loss_epoch", f"{split}_loss", f"loss_{split}")
    ),
}
_SPLIT_OF: dict[str, Split] = {name: split for split, names in LOSSES.items() for name in names}
_OTHER_LOSS = re.compile(rf"^({'|'.join(_VALIDATION)})_.+_loss$")

OLDEST_S, NEWEST_S = 1e8, 1e11
"""Numbers below are seconds since a start, not a date (1973); numbers above are milliseconds since 1970."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Which keys of a row hold what. ``losses`` has for each split its keys, the most telling first."""

    step: str
    epoch: str | None
    time: str | None
    split: str | None
    losses: tuple[tuple[Split, tuple[str, ...]], ...]


def plain_name(name: object) -> str:
    """``run 7 - train/loss`` and ``**Train Loss**`` as ``train_loss``."""
    last = str(name).rsplit(" - ", 1)[-1]
    return re.sub(r"[\s/_.\-]+", "_", last.strip("*`\"' \t")).strip("_").lower()


def split_of(name: str) -> Split | None:
    """The split whose loss a metric of this name is; None where it is none, or the mean of a run."""
    return _SPLIT_OF.get(plain_name(name))


def columns(keys: Iterable[str]) -> Columns | None:
    """Tell what the keys of a row, or of a table, hold; None where they have no step or no loss."""
    names: dict[str, str] = {}
    for key in sorted(keys, key=lambda key: str(key).startswith("_")):
        names.setdefault(plain_name(key), key)
    step = _first(names, STEPS)
    losses = tuple(
        (split, tuple(names[name] for name in known if name in names))
        for split, known in LOSSES.items()
        if any(name in names for name in known)
    )
    if step is None or not losses:
        return None
    return Columns(step, _first(names, EPOCHS), _first(names, TIMES), _first(names, SPLITS), losses)


def rank(split: Split, name: str) -> int:
    """How telling a name is of a split's loss: the less the better."""
    known = LOSSES[split]
    return known.index(plain_name(name)) if plain_name(name) in known else len(known)


def is_named_validation(key: str) -> bool:
    """Whether it is the loss of a validation set by name, such as ``eval_wiki_loss``."""
    return bool(_OTHER_LOSS.match(plain_name(key))) and split_of(key) is None


def points(row: Mapping[str, Any], of: Columns, source: str) -> Iterator[LossPoint]:
    """The losses of one row; none where it has no step."""
    step = number(row.get(of.step))
    if step is None or not -NEWEST_S < step < NEWEST_S:
        return
    epoch = number(row.get(of.epoch)) if of.epoch else None
    time_s = seconds(row.get(of.time)) if of.time else None
    for named, keys in of.losses:
        split = _split_of_row(named, row.get(of.split)) if of.split else named
        for key in keys:
            if split is not None and (loss := number(row.get(key))) is not None:
                yield LossPoint(int(step), split, loss, source, epoch, time_s)
                break


def number(value: object) -> float | None:
    """A cell's number: also ``"2,000"``, ``"**0.25**"``, ``"NaN"``; None for what is none, as true and false are."""
    if isinstance(value, float):
        return value
    if value == "" or isinstance(value, bool) or not isinstance(value, (int, str)):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return _dressed(value) if isinstance(value, str) else None


def _dressed(value: str) -> float | None:
    try:
        return float(value.strip("*` \t").replace(",", ""))
    except ValueError:
        return None


def seconds(value: object) -> float | None:
    """A moment in seconds since 1970: of seconds or milliseconds since then, or of a date; None for what is neither."""
    since = value if type(value) is float else number(value)
    if since is not None:
        since = since / 1000 if since >= NEWEST_S else since
        return since if OLDEST_S <= since < NEWEST_S else None
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value.strip().replace(",", "."))
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _first(names: Mapping[str, str], known: Iterable[str]) -> str | None:
    return next((names[name] for name in known if name in names), None)


def _split_of_row(named: Split, said: object) -> Split | None:
    """A plain ``loss`` is of the split that another cell says; None where that is neither."""
    name = said.strip().lower() if isinstance(said, str) else ""
    if not name or named == "validation" or name.startswith("train"):
        return named
    return "validation" if name.startswith(_VALIDATION) else None
