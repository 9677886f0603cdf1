"""What the words in a figure's name say of it, whoever gave it: ``val nll``, ``train/CrossEntropyLoss``, ``ppl``."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from evalharness.records import Split

Unit = Literal["nats", "perplexity", "bits", "bits per byte"]
"""What a loss is logged in. ``bits``: to base 2, of a token."""

WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
HELD_OUT = re.compile(r"held[\s_.-]out", re.IGNORECASE)
TEST = "test"
"""Another set than the validation's, in logs that have both."""
SPLITS: Mapping[str, Split] = {
    **dict.fromkeys(("train", "training", "trn", "trl", "tloss"), "train"),
    **dict.fromkeys(("val", "vld", "valid", "validation", "eval", "evaluation", "dev", "heldout", TEST), "validation"),
    **dict.fromkeys(("tel", "vloss"), "validation"),
}
UNITS: Mapping[str, Unit] = {
    **dict.fromkeys(("loss", "losses", "nll", "ce", "xent", "trl", "tel", "tloss", "vloss", "nats"), "nats"),
    **dict.fromkeys(("ppl", "perplexity"), "perplexity"),
    "bits": "bits",
    "bpb": "bits per byte",
}
BYTES = frozenset(("byte", "bytes"))
_BEST_UNITS: tuple[Unit, ...] = ("nats", "bits", "perplexity", "bits per byte")
OFTEN_BESIDE = frozenset(
    (
        *("the", "is", "was", "of", "at", "on", "a", "set", "split", "mean", "avg", "average", "current", "lm", "per"),
        *("token", "tokens", "cross", "entropy", "ent", "crossentropy", "metrics", "data", "language", "out"),
        *("all", "target", "main", "gpt", "weighted", "category", "categorical", "sparse", "softmax"),
    )
)
"""Words that do not change which figure it is. Any other does: ``aux loss``, ``best val loss``, ``val accuracy``."""
KNOWN = frozenset(SPLITS) | frozenset(UNITS) | OFTEN_BESIDE
OF_TOKENS = frozenset(("nll", "ce", "xent"))
"""Words of the loss of the tokens alone: a plain loss beside it may have more in it."""
ENTROPY_WORDS = frozenset(("entropy", "ent"))
COUNTERS = frozenset(
    (
        *("step", "steps", "iter", "iters", "iteration", "iterations", "it", "i", "n", "s", "t", "k"),
        *("batch", "batches", "update", "updates", "number", "index", "idx", "count", "counter"),
    )
)
"""Words that a counter of steps has in its name."""
OTHER_COUNTS = frozenset(
    (
        *("epoch", "epochs", "time", "timestamp", "token", "tokens", "sample", "samples", "example", "examples"),
        *("seen", "sec", "secs", "seconds", "ms", "lr", "rate", "flops", "bytes", "mem", "memory", "elapsed", "eta"),
        *(
            "seed",
            "size",
            "total",
            "max",
            "rows",
            "params",
            "rank",
            "gpu",
            "pid",
            "speed",
            "seq",
            "length",
            "world",
            "unnamed",
        ),
    )
)
"""Words of whole numbers that are no steps, though some of them grow."""


@dataclass(frozen=True, slots=True)
class LossName:
    """A figure that is a loss by its name. ``said``: the name has the word of a loss, not only that of a split.

    ``of_test``: it is of the validation only where the log has no other.
    """

    split: Split
    unit: Unit
    said: bool
    of_test: bool = False

    def rank(self) -> tuple[bool, int, bool]:
        """How telling it is of its split's loss: the less the better."""
        return self.of_test, _BEST_UNITS.index(self.unit), not self.said


def words_of(name: str) -> list[str]:
    """``trainLoss``, ``train/loss`` and ``TRAIN_LOSS`` as ``train``, ``loss``."""
    return [word.lower() for word in WORD.findall(HELD_OUT.sub("heldout", name))]


@lru_cache(maxsize=10_000)
def loss_name(name: str) -> LossName | None:
    """Which loss a figure of this name is; None where a word says that it is another thing."""
    words = words_of(name)
    splits = [SPLITS[word] for word in words if word in SPLITS]
    entropy = "crossentropy" in words or ("cross" in words and not ENTROPY_WORDS.isdisjoint(words))
    unit = _unit(words) or ("nats" if entropy else None)
    if not (splits or unit) or len(set(splits)) > 1 or words == ["bits"] or not _are_known(words, unit):
        return None
    if "entropy" in words and not entropy:
        return None
    return LossName(splits[0] if splits else "train", unit or "nats", unit is not None, TEST in words)


def is_of_tokens(name: str) -> bool:
    """Whether a name is that of the cross entropy of the tokens, in nats, without other terms: ``ce``, ``val_nll``."""
    loss, words = loss_name(name), words_of(name)
    is_entropy = "crossentropy" in words or "entropy" in words
    return loss is not None and loss.unit == "nats" and (is_entropy or not OF_TOKENS.isdisjoint(words))


def names_no_split(name: str) -> bool:
    """Whether a name is that of a loss and says nothing of the split, such as ``nll``."""
    return loss_name(name) is not None and not says_split(name)


def says_split(name: str) -> bool:
    """Whether a word of a name is that of a split."""
    return not SPLITS.keys().isdisjoint(words_of(name))


def unit_of(name: str) -> Unit:
    """The unit that a name speaks of; nats where it speaks of none."""
    return _unit(words_of(name)) or "nats"


def _unit(words: Sequence[str]) -> Unit | None:
    unit = next((UNITS[word] for word in reversed(words) if word in UNITS), None)
    return "bits per byte" if unit == "bits" and not BYTES.isdisjoint(words) else unit


def _are_known(words: Sequence[str], unit: Unit | None) -> bool:
    """Whether no word makes it another figure; bytes do so but in bits per byte."""
    return KNOWN.union(BYTES if unit == "bits per byte" else ()).issuperset(words)


def is_counter(name: str) -> bool:
    """Whether the name is that of a counter of steps, such as ``it`` or ``batch number``."""
    words = words_of(name)
    if words[:1] == ["total"] and words[-1] in COUNTERS:  # `total_updates` grows where it counts those that are done
        words = words[1:]
    return not OTHER_COUNTS.intersection(words) and bool(COUNTERS.intersection(words[-2:]))


def is_other_count(name: str) -> bool:
    """Whether the name is that of a number that is no step, such as ``tokens seen``."""
    return not is_counter(name) and bool(OTHER_COUNTS.intersection(words_of(name)))


def in_nats(value: float, unit: Unit, bytes_per_token: float | None = None) -> float | None:
    """A loss in nats per token; None for bits per byte where it isn't known how many bytes a token has.

    A perplexity is e to the power of the loss, one that is not positive is none: NaN.
    """
    if unit == "nats":
        return value
    if unit == "perplexity":
        return math.log(value) if value > 0 else math.nan
    if unit == "bits":
        return value * math.log(2)
    return None if bytes_per_token is None else value * math.log(2) * bytes_per_token
