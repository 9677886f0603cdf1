"""The fair draws: which phrases were asked, which threads came back, and what the first diagnosis said of those taken.

All of it is in ``gallery/fair_draw.json``, ``gallery/second_fair_draw.json`` and ``gallery/third_fair_draw.json``.
Under ``asked`` each thread, in the order in which it came back, has the name of the case that was made of it, or the
condition that it failed. Under ``first`` is the first diagnosis of each.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tables import Count, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from gallery_cases import Case

GALLERY = Path(__file__).resolve().parent.parent / "gallery"
RECORDS = {
    "first": GALLERY / "fair_draw.json",
    "second": GALLERY / "second_fair_draw.json",
    "third": GALLERY / "third_fair_draw.json",
}
CONDITIONS = {
    "i": "it is not about training or evaluating a causal language model",
    "ii": "the stored text does not state the true cause of one failure",
    "iii": "the fault can't be made small on a CPU in a minute",
    "iv": "the thread, or its failure, is in the gallery already",
    "alarm": "it is an alarm that was no fault, and three were taken already",
    "old": "an earlier draw met the thread",
    "weak": "a small model does not show the fault",
    "over": "it is a failure, and fourteen were taken already",
}
LATER = "later"
"""The fate of a thread that the draw ended before."""


@dataclass(frozen=True, slots=True)
class First:
    """The first diagnosis of a case, which is never measured again: its first line, and whether that was right."""

    said: str
    right: bool


@dataclass(frozen=True, slots=True)
class FairDraw:
    """Threads by address, each with its case or the condition that it failed, and the first diagnoses by case."""

    name: str
    phrases: int
    threads: Mapping[str, str]
    first: Mapping[str, First]

    @property
    def passed_over(self) -> Counter[str]:
        """How many threads failed each condition."""
        return Counter(fate for fate in self.threads.values() if fate in CONDITIONS)

    @property
    def not_reached(self) -> int:
        """How many threads the draw ended before."""
        return list(self.threads.values()).count(LATER)

    def count(self, cases: Sequence[Case], *, sound: bool) -> Count:
        """Of the faults how many causes were named first, or of the sound models how many were cleared."""
        own = [self.first[case.name] for case in cases if case.name in self.first and case.is_sound is sound]
        return Count(sum(first.right for first in own), len(own))


def read_draws() -> list[FairDraw]:
    """The draws, the oldest first."""
    return [read_draw(name, path) for name, path in RECORDS.items()]


def read_draw(name: str, path: Path) -> FairDraw:
    """The record, with each thread once."""
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    threads: dict[str, str] = {}
    for asked in content["asked"]:
        threads |= asked["threads"]
    phrases = {asked["phrase"] for asked in content["asked"]}
    return FairDraw(name, len(phrases), threads, {case: First(**said) for case, said in content["first"].items()})


def together(draws: Sequence[FairDraw], cases: Sequence[Case], *, sound: bool) -> Count:
    """The counts of all draws as one."""
    counts = [draw.count(cases, sound=sound) for draw in draws]
    return Count(sum(count.hits for count in counts), sum(count.of for count in counts))


def shares(draws: Sequence[FairDraw], cases: Sequence[Case]) -> str:
    """A row for each draw, and one for all of them."""
    counts = {draw.name: [draw.count(cases, sound=sound) for sound in (False, True)] for draw in draws}
    counts["together"] = [together(draws, cases, sound=sound) for sound in (False, True)]
    rows = [
        [name, *(text for count in own for text in (str(count.of), f"{count.hits} = {count.with_interval()}"))]
        for name, own in counts.items()
    ]
    return table(["fair draw", "faults", "cause named first", "sound models", "cleared"], rows)


def sections(draws: Sequence[FairDraw], cases: Sequence[Case]) -> Iterator[str]:
    """How threads were drawn, and the first diagnosis of each case by draw."""
    yield HOW
    for draw in draws:
        yield f"### The {draw.name} draw"
        yield f"{SEARCHED[draw.name]} {_passed(draw)}"
        yield table(["case", "true cause", "said first", "right"], _rows(draw, cases))


def _rows(draw: FairDraw, cases: Sequence[Case]) -> Iterator[list[str]]:
    for case in cases:
        if first := draw.first.get(case.name):
            yield [f"`{case.name}`", case.cause, first.said.replace("|", "\\|"), "yes" if first.right else "**no**"]


def _passed(draw: FairDraw) -> str:
    counts = draw.passed_over
    reasons = "; ".join(f"{says} ({counts[key]})" for key, says in CONDITIONS.items() if counts[key])
    later = f"; {draw.not_reached} more were not reached" if draw.not_reached else ""
    return f"{draw.phrases} phrases were asked, and {counts.total()} threads were passed over: {reasons}{later}."


HOW = """## The fair draws: first diagnoses

Phrases that a user would type, such as "language model never stops generating after fine-tuning", were fixed first and
asked of stored issues, in the first draw of web pages too. In the first two draws the threads were taken in the order
in which they came back, one of each phrase at a time; in the third they were shuffled. Of a thread the stored excerpt
was read, and one more where that left the cause open. None was left out because its kind of fault was in the gallery,
nor because evalharness would see it or not. The first two draws ended with the twelfth fault, and the first three
alarms that were no fault are the sound models; the third ended with the fourteenth fault and the fourth alarm.
`gallery/fair_draw.json`, `gallery/second_fair_draw.json` and `gallery/third_fair_draw.json` have the phrases and every
thread with its reason.

The cases were written without a look at the probes, and diagnosed once by evalharness as it was. What was said then
stands here for good, whatever is corrected later. Between the draws probes were corrected on what the ones before had
missed; the phrases and threads of each draw are others."""

SEARCHED = {
    "first": """The first ten phrases were asked twice: without the words "language model" they brought back web caches
and image models, and none of that was used. They gave five faults. The others were asked of issues alone and gave the
rest.""",
    "second": "All phrases were asked of issues alone, each once.",
    "third": """All phrases were asked of issues alone, each once, and the threads of all were shuffled by `seed` of the
record.""",
}
