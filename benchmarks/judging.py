"""What the detector says of one function, and of one planted loop, in each way that it can see them."""

from __future__ import annotations

import contextlib
import random
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

from planted import lexed
from tokenizers import Tokenizer

from evalharness.degeneration import Degeneration, analyse, interrupted, loop_criteria, near

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from planted import Plant

    from evalharness.records import StopReason

TOKENIZER = Path(__file__).parents[1] / "checkpoints" / "causal" / "tokenizer.json"
MODES = ("words", "BPE", "text")
"""By the words, signs and blanks that loops are planted in, by a real tokenizer's ids, and by the text alone."""
ERRORS_IN = 200
"""A function with errors has one word or sign in so many lost or put in the place of another, and at least one."""
MODULES = {"loop_criteria": loop_criteria, "interrupted": interrupted, "near": near}


@cache
def tokenizer() -> Tokenizer:
    """The byte-level BPE tokenizer of the checkpoint that comes with the repository; decoding gives the text back."""
    return Tokenizer.from_file(str(TOKENIZER))


def decode(ids: Sequence[int]) -> str:
    """The text of the tokenizer's ``ids``."""
    return str(tokenizer().decode(list(ids), skip_special_tokens=False))


@dataclass(frozen=True, slots=True)
class Asked:
    """One text to analyse: as it ended, by its tokens or not, under other thresholds where some are given."""

    text: str
    stop_reason: StopReason | None = None
    by_tokens: bool = False
    thresholds: tuple[tuple[str, float], ...] = ()


def evidence_against(asked: Asked) -> str:
    """The evidence if the text is called degenerate, else nothing."""
    ids = tokenizer().encode(asked.text, add_special_tokens=False).ids if asked.by_tokens else None
    with changed(dict(asked.thresholds)):
        found = analyse(asked.text, ids, decode=decode if asked.by_tokens else None, stop_reason=asked.stop_reason)
    return found.evidence if found.degenerate else ""


@contextlib.contextmanager
def changed(thresholds: Mapping[str, float]) -> Any:
    """Other thresholds for a while, by module and name; ``OF_….rate`` is that of a kind of noise."""
    with contextlib.ExitStack() as patched:
        for path, value in thresholds.items():
            module, name, *field = path.split(".")
            new = replace(getattr(MODULES[module], name), **{field[0]: value}) if field else value
            patched.enter_context(mock.patch.object(MODULES[module], name, new))
        yield


def in_use(path: str) -> float:
    """The value of a threshold."""
    module, name, *field = path.split(".")
    value = getattr(MODULES[module], name)
    return float(getattr(value, field[0]) if field else value)


def with_errors(text: str, seed: int) -> str:
    """``text`` as a weak model might write it: it does not parse, and is no loop all the same."""
    draw = random.Random(seed)
    words = lexed(text)
    for _ in range(1 + len(words) // ERRORS_IN):
        at = draw.randrange(len(words))
        words[at] = "" if draw.random() < 0.5 else draw.choice(words)
    return "".join(words)


@dataclass(frozen=True, slots=True)
class Judged:
    """What came of one plant, seen in one of the ``MODES``."""

    kind: str
    mode: str
    noisy: bool
    ending: str
    found: bool
    kind_right: bool
    onset_right: bool
    named: str | None
    evidence: str
    text: str


def judge(plant: Plant) -> list[Judged]:
    """Analyse one plant in each of the ``MODES``."""
    encoded = tokenizer().encode(plant.text, add_special_tokens=False)
    onset = next((i for i, (_, end) in enumerate(encoded.offsets) if end > plant.onset_characters), 0)
    period = plant.period_characters * len(encoded.ids) / len(plant.text)
    seen = {
        "words": ({"token_ids": plant.token_ids, "decode": plant.decode}, plant.onset, float(plant.period)),
        "BPE": ({"token_ids": encoded.ids, "decode": decode}, onset, period),
        "text": ({}, 0, 1.0),
    }
    return [
        _judged(plant, mode, analyse(plant.text, stop_reason=plant.stop_reason, **by_tokens), onset, period)
        for mode, (by_tokens, onset, period) in seen.items()
    ]


def missed_under(plant: Plant, thresholds: tuple[tuple[str, float], ...]) -> bool:
    """Whether the plant is not found by its text under other thresholds."""
    return not evidence_against(Asked(plant.text, plant.stop_reason, thresholds=thresholds))


def _judged(plant: Plant, mode: str, found: Degeneration, onset: int, period: float) -> Judged:
    loop, onset_right = found.loop, False
    if loop is not None and loop.unit == "token":
        onset_right = abs(loop.onset - onset) <= max(1.0, period)
    elif loop is not None:
        onset_right = abs(loop.onset - plant.onset_characters) <= max(1.0, plant.period_characters)
    return Judged(
        kind=plant.kind,
        mode=mode,
        noisy=plant.noisy,
        ending=plant.ending,
        found=found.degenerate,
        kind_right=found.kind == plant.kind,
        onset_right=onset_right,
        named=found.kind,
        evidence=found.evidence,
        text=plant.text,
    )
