"""What the names of columns, keys and tags mean, whichever tool wrote them."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field, fields
from datetime import datetime
from functools import lru_cache
from itertools import repeat
from typing import TYPE_CHECKING, Any

from evalharness.records import EntropyPoint, LogPoint, LossPoint, Split
from evalharness.training_log.figure_names import Unit, in_nats, loss_name, unit_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

STEPS = (
    *("train_global_step", "trainer_global_step", "global_step", "step", "steps", "iter", "iteration", "iter_num"),
    # LLaMA-Factory; fairseq; loops of one's own.
    *("current_steps", "num_updates", "valid_num_updates", "update", "updates", "it"),
)
"""The first that is there counts: W&B's ``_step`` counts calls of its logger, the trainer's own beside it steps."""
EPOCHS = ("epoch", "train_epoch", "ep")
TIMES = ("timestamp", "time_s", "wall_time", "walltime", "time", "datetime", "date")
SPLITS = ("split", "phase", "mode", "subset")
METRICS = ("metric", "key", "tag", "metric_key", "metric_name")
VALUE = "value"
EMPTY = frozenset(("", "-", "--", "—", "–", "n/a", "none"))
"""What a cell without a value holds, in lower case."""
_VALIDATION = ("val", "eval", "valid", "validation", "dev")
LOSSES: Mapping[Split, tuple[str, ...]] = {
    # Lightning splits what it logs both ways: train's steps are points of their own, its epochs are means of many.
    "train": (
        *("train_loss_step", "train_loss", "training_loss", "loss", "loss_nats"),
        *("loss_train", "train_loss_epoch", "train_nll", "train_mean_nll", "nll"),
    ),
    # A validation is over all batches; what is logged of each batch of it is none.
    "validation": (
        *(
            name.format(split)
            for split in _VALIDATION
            for name in ("{}_loss_epoch", "{}_loss", "loss_{}", "{}_nll", "{}_mean_nll")
        ),
        "test_nll",  # tinker's; a `test_loss` beside a `val_loss` is of other rows
    ),
}
MEANS: Mapping[str, str] = {"train_loss_step": "train_loss_epoch"}
"""The loss of a step, and its mean of an epoch, which Lightning logs at the step that ends it."""
ENTROPIES = (
    # TRL's GRPO and SFT; its PPO, now and before; verl, now and before; OpenRLHF; NeMo RL.
    *("entropy", "policy_entropy_avg", "ppo_policy_entropy", "ppo_policy_entropy_avg", "policy_entropy"),
    *("actor_entropy", "actor_entropy_loss", "entropy_loss", "approx_entropy", "entropy_mean", "mean_entropy"),
    # What `evalharness log --json` prints; and a sum over each completion, which the others are not.
    *("entropy_nats", "objective_entropy"),
)
"""The entropy of the model's predictions on what it wrote in training, the most telling name first."""
_OF_REWARDS = re.compile(r"^(train_|eval_)?((min|max|mean)_)?(rewards?|logps)(_|$)")
_SPLIT_OF: dict[str, Split] = {name: split for split, names in LOSSES.items() for name in names}
_OTHER_LOSS = re.compile(rf"^({'|'.join(_VALIDATION)})_.+_(loss|nll|ce|xent|ppl|perplexity|bpb)$")
_NAMED_SPLIT = re.compile(
    rf"(train|training|test|{'|'.join(_VALIDATION)}|evaluation)([_ /-]?(step|epoch|iter|end|batch))?"
)

_DECIMAL_COMMA = re.compile(r"[-+]?(\d+,(\d{1,2}|\d{4,})|0,\d+)")
"""Groups of thousands have three digits, and no first group of 0."""
_THOUSANDS_COMMAS = re.compile(r"[-+]?\d{1,3}(,\d{3})+(\.\d*)?")
_THOUSANDS_POINTS = re.compile(r"[-+]?\d{1,3}(\.\d{3})+(,\d+)?")

THOUSANDS = {"k": 1_000, "K": 1_000, "M": 1_000_000}
_SINCE = datetime(1970, 1, 1)  # noqa: DTZ001 - moments without a zone are counted from it
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
    entropy: str | None = None
    units: Mapping[str, Unit] = field(default_factory=dict)
    """The keys whose losses are not in nats."""
    bytes_per_token: float | None = None


@dataclass(frozen=True, slots=True)
class OwnNames:
    """Names of a step, of losses and of a split beyond those that are known.

    Of a role in ``told`` no other name counts.
    """

    step: str | None = None
    losses: Mapping[Split, str] = field(default_factory=dict)
    told: frozenset[str] = frozenset()
    bytes_per_token: float | None = None
    split: str | None = None
    """The column that says what the losses of a row are of."""
    other: frozenset[str] = frozenset()
    """Plain names that are those of losses, but not here: means and sums of what has another column."""


NO_OWN_NAMES = OwnNames()


def plain_name(name: object) -> str:
    """``run 7 - train/loss`` and ``**Train Loss**`` as ``train_loss``."""
    last = str(name).rsplit(" - ", 1)[-1]
    return re.sub(r"[\s/_.\-]+", "_", last.strip("*`\"' \t")).strip("_").lower()


def split_of(name: str) -> Split | None:
    """The split whose loss a metric of this name is; None where it is none, or the mean of a run."""
    return _SPLIT_OF.get(plain_name(name))


def is_entropy(name: str) -> bool:
    """Whether a metric of this name is the entropy of the model's predictions in training."""
    return _entropy_name(plain_name(name)) in ENTROPIES


def entropy_rank(name: str) -> int:
    """How telling a name is of the entropy: the less the better."""
    return ENTROPIES.index(_entropy_name(plain_name(name)))


def _entropy_name(plain: str) -> str:
    """W&B and TensorBoard show what a trainer logs in training below ``train/``."""
    return plain.removeprefix("train_")


def is_of_rewards(key: str) -> bool:
    """Whether it is logged by training on rewards or preferences, whose ``loss`` is not that of the tokens."""
    return bool(_OF_REWARDS.match(plain_name(key)))


def columns(keys: Iterable[str], own: OwnNames = NO_OWN_NAMES) -> Columns | None:
    """Tell what the keys of a row, or of a table, hold; None where they have no step, or neither loss nor entropy.

    ``own`` has names beside the known ones. A loss beside rewards is none: it is that of a policy or of preferences.
    Nor is the mean of a run, which a Hugging Face trainer logs beside its run time.
    """
    keys = list(keys)
    names: dict[str, str] = {}
    for key in sorted(keys, key=lambda key: str(key).startswith("_")):
        names.setdefault(plain_name(key), key)
    step = own.step if own.step in keys else None if "step" in own.told else _first(names, STEPS)
    losses = tuple(
        (split, loss_keys)
        for split, known in LOSSES.items()
        if (loss_keys := _loss_keys(split, names, known, own))
        and (split in own.told or not any(map(is_of_rewards, keys)))
    )
    if "train_runtime" in names:
        losses = tuple((split, loss_keys) for split, loss_keys in losses if split != "train")
    entropy = min(filter(is_entropy, keys), key=entropy_rank, default=None)
    if step is None or not (losses or entropy):
        return None
    split_key = _first(names, SPLITS) or (own.split if own.split in keys else None)
    optional = (_first(names, EPOCHS), _first(names, TIMES), split_key)
    units = {key: unit for _, loss_keys in losses for key in loss_keys if (unit := unit_of(key)) != "nats"}
    return Columns(step, *optional, losses, entropy, units, own.bytes_per_token)


def _loss_keys(split: Split, names: Mapping[str, str], known: Iterable[str], own: OwnNames) -> tuple[str, ...]:
    """The keys of a split's loss, the most telling first: the own one alone where it was told."""
    mine = [own.losses[split]] if own.losses.get(split) in names.values() else []
    theirs = [] if split in own.told else [names[name] for name in known if name in names and name not in own.other]
    return tuple(dict.fromkeys([*theirs, *mine]))


def rank(split: Split, name: str) -> int:
    """How telling a name is of a split's loss: the less the better."""
    known = LOSSES[split]
    return known.index(plain_name(name)) if plain_name(name) in known else len(known)


def run_of(key: str) -> str | None:
    """The run that a column is of, as W&B's exports name them: ``run 7 - train/loss``; None without one."""
    run, joint, _ = str(key).rpartition(" - ")
    return run.strip("\"' ") if joint else None


def runs_of(keys: Iterable[str]) -> list[str]:
    """The runs that a table has losses of; none where its columns are of no run by name.

    Beside a loss W&B's exports have its least and its largest value; they are of the same run.
    """
    return [run for run in dict.fromkeys(run_of(key) for key in keys if split_of(key)) if run is not None]


@lru_cache(maxsize=10_000)
def is_named_validation(key: str) -> bool:
    """Whether it is the loss of a validation set by name, such as ``eval_wiki_loss``."""
    return bool(_OTHER_LOSS.match(plain_name(key))) and loss_name(key) is None and split_of(key) is None


def points(row: Mapping[str, Any], plan: Columns, source: str) -> list[LogPoint]:
    """The entropy and the losses of one row; none where it has no step."""
    step = number(row.get(plan.step))
    of_row: list[LogPoint] = []
    if step is None or not -NEWEST_S < step < NEWEST_S:
        return of_row
    epoch = number(row.get(plan.epoch)) if plan.epoch else None
    time_s = seconds(row.get(plan.time)) if plan.time else None
    at = int(step)
    if plan.entropy and (entropy := number(row.get(plan.entropy))) is not None:
        of_row.append(entropy_point(at, entropy, source, epoch, time_s))
    for named, keys in plan.losses:
        for key in keys:
            loss = number(row.get(key))
            if loss is None:
                continue
            if key in plan.units:
                loss = in_nats(loss, plan.units[key], plan.bytes_per_token)
            split = _split_of_row(named, key, row.get(plan.split)) if plan.split else named
            if split is not None and loss is not None:
                of_row.append(loss_point(at, split, loss, source, epoch, time_s))
                break
    return of_row


def loss_point(
    step: int, split: Split, loss: float, source: str, epoch: float | None = None, time_s: float | None = None
) -> LossPoint:
    """Return the same as ``LossPoint(…)`` in half the time: a log may have millions."""
    point = _NEW(LossPoint)
    _STEP(point, step)
    _SPLIT(point, split)
    _LOSS(point, loss)
    _SOURCE(point, source)
    _EPOCH(point, epoch)
    _TIME(point, time_s)
    return point


def loss_points(
    steps: Iterable[int],
    split: Split,
    losses: Iterable[float],
    sources: Iterable[str],
    epochs: Iterable[float | None] = repeat(None),
    times_s: Iterable[float | None] = repeat(None),
) -> list[LossPoint]:
    """Return a point for each step, all of one split, without a call in Python for any."""
    steps = list(steps)
    points = list(map(_NEW, repeat(LossPoint, len(steps))))
    columns = (_STEP, steps), (_SPLIT, repeat(split)), (_LOSS, losses), (_SOURCE, sources), (_EPOCH, epochs)
    for set_slot, values in (*columns, (_TIME, times_s)):
        deque(map(set_slot, points, values), maxlen=0)
    return points


# The slots themselves: a frozen dataclass sets each of them through ``object.__setattr__``.
_NEW = LossPoint.__new__
_STEP, _SPLIT, _LOSS, _SOURCE, _EPOCH, _TIME = (getattr(LossPoint, field.name).__set__ for field in fields(LossPoint))


def entropy_point(
    step: int, logged: float, source: str, epoch: float | None = None, time_s: float | None = None
) -> EntropyPoint:
    """The entropy of a step. Where it is logged as a loss, to be minimised, its sign is the other way round."""
    return EntropyPoint(step, "train", abs(logged), source, epoch, time_s)


def number(value: object) -> float | None:
    """A cell's number: also ``"2,000"``, ``"**0.25**"``, ``"NaN"``; None for what is none, as true and false are."""
    # By type and the frequent ones first: it is asked of every cell.
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return _dressed(value) if value else None
    if isinstance(value, float):
        return value
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def _dressed(value: str) -> float | None:
    """A number with commas between its thousands, or in thousands (``12.5k``); one with a decimal comma is none."""
    text = value.strip("*` \t").rstrip(",")
    if text[-1:] in THOUSANDS and text[-2:-1].isdigit():
        thousands = number(text[:-1])
        return None if thousands is None else thousands * THOUSANDS[text[-1]]
    if "," in text and not _THOUSANDS_COMMAS.fullmatch(text):
        return None
    try:
        return float(text.replace(",", ""))
    except ValueError:
        return None


def have_decimal_commas(cells: Iterable[str]) -> bool:
    """Whether a cell is a number with a decimal comma and nothing else, as ``4,5418`` and ``0,129`` are.

    ``2,000`` may be two thousand: what stands beside it decides.
    """
    return any("," in cell and _DECIMAL_COMMA.fullmatch(cell.strip("*`\"' \t")) for cell in cells)


def with_decimal_points(cells: Iterable[str]) -> list[str]:
    """The cells of a table with decimal commas as others are written: ``4,5418`` as 4.5418, ``20.000`` as 20000."""
    return [
        (cell.replace(".", "") if _THOUSANDS_POINTS.fullmatch(cell.strip("*`\"' \t")) else cell).replace(",", ".")
        for cell in cells
    ]


def seconds(value: object) -> float | None:
    """A moment in seconds since 1970: of seconds or milliseconds since then, or of a date; None for what is neither."""
    is_date = type(value) is str and value[4:5] == "-"
    since = value if type(value) is float else None if is_date else number(value)
    if since is not None:
        since = since / 1000 if since >= NEWEST_S else since
        return since if OLDEST_S <= since < NEWEST_S else None
    if not isinstance(value, str):
        return None
    try:
        if value[13:17:3] == "::":
            # The same as below in a fifth of the time, if there is no zone: a log may have millions of moments.
            return _minute(value[:16]) + float(value[17:].replace(",", "."))
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(value.strip().replace(",", "."))
    except ValueError:
        return None
    return moment.timestamp() if moment.tzinfo else (moment - _SINCE).total_seconds()  # as UTC


@lru_cache(maxsize=100)
def _minute(moment: str) -> float:
    return (datetime.fromisoformat(moment) - _SINCE).total_seconds()


def _first(names: Mapping[str, str], known: Iterable[str]) -> str | None:
    return next((names[name] for name in known if name in names), None)


def names_split(said: object) -> bool:
    """Whether a cell names a split and nothing else: ``train``, ``eval_step``."""
    return isinstance(said, str) and _NAMED_SPLIT.fullmatch(said.strip().lower()) is not None


def _split_of_row(named: Split, key: str, said: object) -> Split | None:
    """A plain ``loss`` is of the split that another cell says; None where that is neither."""
    name = said.strip().lower() if isinstance(said, str) else ""
    if not name or named == "validation" or name.startswith("train") or "train" in key.lower():
        return named
    return "validation" if name.startswith(_VALIDATION) else None
