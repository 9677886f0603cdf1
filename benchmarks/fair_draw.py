"""The fair draw: which phrases were asked, which threads came back, and what the first diagnosis said of those taken.

All of it is in ``gallery/fair_draw.json``. Under ``asked`` each thread, in the order in which it came back, has the
name of the case that was made of it, or the condition that it failed. Under ``first`` is the first diagnosis of each.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tables import Count, table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gallery_cases import Case

RECORD = Path(__file__).resolve().parent.parent / "gallery" / "fair_draw.json"
CONDITIONS = {
    "i": "it is not about training or evaluating a causal language model",
    "ii": "the stored text does not state the true cause of one failure",
    "iii": "the fault can't be made small on a CPU in a minute",
    "iv": "the thread is in the gallery already",
}


@dataclass(frozen=True, slots=True)
class First:
    """The first diagnosis of a case, which is never measured again: its first line, and whether that was right."""

    said: str
    right: bool


@dataclass(frozen=True, slots=True)
class FairDraw:
    """Threads by address, each with its case or the condition that it failed, and the first diagnoses by case."""

    phrases: int
    threads: Mapping[str, str]
    first: Mapping[str, First]

    @property
    def passed_over(self) -> Counter[str]:
        """How many threads failed each condition."""
        return Counter(fate for fate in self.threads.values() if fate in CONDITIONS)

    def count(self, cases: Sequence[Case], *, sound: bool) -> Count:
        """Of the faults how many causes were named first, or of the sound models how many were cleared."""
        own = [self.first[case.name] for case in cases if case.name in self.first and case.is_sound is sound]
        return Count(sum(first.right for first in own), len(own))


def read_draw(path: Path = RECORD) -> FairDraw:
    """The record, with each thread once."""
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    threads: dict[str, str] = {}
    for asked in content["asked"]:
        threads |= asked["threads"]
    phrases = {asked["phrase"] for asked in content["asked"]}
    return FairDraw(len(phrases), threads, {name: First(**first) for name, first in content["first"].items()})


def section(draw: FairDraw, cases: Sequence[Case]) -> str:
    """What was drawn and how, and the first diagnosis of each case."""
    rows = [
        [f"`{case.name}`", case.cause, draw.first[case.name].said.replace("|", "\\|"), _yes(draw.first[case.name])]
        for case in cases
        if case.name in draw.first
    ]
    return "\n\n".join([_how(draw), table(["case", "true cause", "said first", "right"], rows)])


def _yes(first: First) -> str:
    return "yes" if first.right else "**no**"


def _how(draw: FairDraw) -> str:
    passed = "; ".join(f"{says} ({draw.passed_over[key]})" for key, says in CONDITIONS.items())
    return f"""## The fair draw: first diagnoses

{draw.phrases} phrases that a user would type, such as "language model never stops generating after fine-tuning", were
asked of stored issues and web pages. The first ten were asked twice: without the words "language model" they brought
back web caches and image models, and none of that was used. They gave five faults; the others, asked of issues alone,
gave the rest. The threads were taken in the order in which they came back, one of each phrase at a time. Of a thread
the stored excerpt was read, and one more where that left the cause open. A thread was passed over for four reasons
only: {passed}. None was left out because its kind of fault was in the gallery, nor because evalharness would see it or
not. The draw ended with the twelfth fault; the first three alarms that were no fault are the sound models.
`gallery/fair_draw.json` has the phrases and every thread with its reason.

The cases were written without a look at the probes, and diagnosed once by evalharness as it was. What was said then
stands here for good, whatever is corrected later."""
