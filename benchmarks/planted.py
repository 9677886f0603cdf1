"""Completions with a loop of known kind, place and period put into real code, with and without interruptions."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from evalharness.degeneration.kinds import kind_of, primitive_root
from evalharness.degeneration.lexemes import ELEMENT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalharness.records import StopReason

MIN_TOKENS, MIN_CHARACTERS, MAX_TOKENS = 48, 150, 1024
ONSETS = (0, 1, 5, 20, 50, 100, 200, 400)
NOISE = 1 / 20
LOOPING = ("newline", "whitespace", "token", "phrase", "line", "block", "near")
_MIN_RECOVERED_SHARE = 0.3
_MAX_SAME_LINES = 0.6


@dataclass(frozen=True, slots=True)
class Plant:
    """One completion. ``onset`` and ``period`` are in tokens and, as ``…_characters``, in characters of the text.

    The tokens are words, signs and blanks; ``vocabulary`` gives the text of each id.
    """

    kind: str
    text: str
    token_ids: tuple[int, ...]
    vocabulary: tuple[str, ...]
    onset: int
    period: int
    onset_characters: int
    period_characters: float
    noisy: bool
    ending: Literal["unknown", "limit", "recovered"]

    @property
    def stop_reason(self) -> StopReason | None:
        """What the completion says of its end."""
        return "max_new_tokens" if self.ending == "limit" else None

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ``ids``."""
        return "".join(self.vocabulary[i] for i in ids)


def lexed(text: str) -> list[str]:
    """Words, signs, line ends and runs of blanks; joined they are the text again."""
    return ELEMENT.findall(text)


def plants(code: Sequence[str], of_each: int, seed: int) -> list[Plant]:
    """For each kind, ``of_each`` exact plants and as many with one token in twenty changed, with all endings."""
    draw = random.Random(seed)
    found = []
    for kind in LOOPING:
        for number in range(2 * of_each):
            noisy = number >= of_each and kind != "near"
            plant = None
            while plant is None:
                ending = draw.choice(("unknown", "limit") if kind == "near" else ("unknown", "limit", "recovered"))
                plant = _plant(kind, noisy, ending, code, draw)
            found.append(plant)
    return found


def _plant(
    kind: str, noisy: bool, ending: Literal["unknown", "limit", "recovered"], code: Sequence[str], draw: random.Random
) -> Plant | None:
    onset = draw.choice(ONSETS)
    before = lexed(draw.choice(code))[:onset]
    if kind in {"line", "block", "near"} and before and before[-1] != "\n":
        before.append("\n")
    room = MAX_TOKENS - len(before)
    wanted = round(MIN_TOKENS * (room / MIN_TOKENS) ** draw.random())
    if kind == "near":
        near = _near(draw, wanted)
        if near is None:
            return None
        loop, period = near
    else:
        copy = _copy(kind, code, draw)
        if copy is None:
            return None
        period = len(copy)
        copies = max(6 if noisy else 4, -(-wanted // period), -(-MIN_CHARACTERS // len("".join(copy))))
        loop = copy * copies
    if len(loop) > room:
        return None
    # The first copy, or its first four tokens, stays: where the loop begins is otherwise not known to anybody.
    spoiled = [
        draw.choice(lexed(draw.choice(code))) if noisy and i >= max(4, period) and draw.random() < NOISE else token
        for i, token in enumerate(loop)
    ]
    if not _is_long(loop, spoiled):
        return None
    after: list[str] = []
    if ending == "recovered":
        after = ["\n", *lexed(draw.choice(code))]
        if len("".join(spoiled)) < _MIN_RECOVERED_SHARE * len("".join(before + spoiled + after)):
            return None
    return _placed(kind, before, spoiled, after, period, noisy, ending)


def _is_long(loop: list[str], spoiled: list[str]) -> bool:
    """Whether noise left a loop of the least length. Changed tokens at its end are no part of it."""
    last = max(i for i, token in enumerate(loop) if token == spoiled[i]) + 1
    return last >= MIN_TOKENS and len("".join(spoiled[:last])) >= MIN_CHARACTERS


def _placed(
    kind: str, before: list[str], loop: list[str], after: list[str], period: int, noisy: bool,
    ending: Literal["unknown", "limit", "recovered"],
) -> Plant:  # fmt: skip
    tokens = before + loop + after
    onset, text = len(before), "".join(tokens)
    while kind != "near" and onset and tokens[onset - 1] == tokens[onset - 1 + period]:
        onset -= 1
    vocabulary = sorted(set(tokens))
    ids = {token: i for i, token in enumerate(vocabulary)}
    return Plant(
        kind=kind,
        text=text,
        token_ids=tuple(ids[token] for token in tokens),
        vocabulary=tuple(vocabulary),
        onset=onset,
        period=period,
        onset_characters=len("".join(tokens[:onset])),
        period_characters=len("".join(loop)) * period / len(loop),
        noisy=noisy,
        ending=ending,
    )


def _copy(kind: str, code: Sequence[str], draw: random.Random) -> list[str] | None:
    """One copy of the loop: a real line, several, or a part of one. None where what was drawn is of another kind."""
    if kind == "newline":
        return ["\n"]
    if kind == "whitespace":
        return draw.choice([["    "], ["\t"], ["\n", "    "], ["\n", "        "], ["\n", "\t"]])
    lines = [line for line in draw.choice(code).split("\n") if line.strip()]
    first = draw.randrange(len(lines))
    words = [word for word in lexed(lines[first]) if word.strip()]
    if kind == "token":
        copy = draw.choice([[draw.choice(words)], [draw.choice(words), " "]])
    elif kind == "phrase":
        size = draw.randrange(2, 40)
        copy = lexed(lines[first].strip())[:size]
    elif kind == "line":
        copy = [*lexed(lines[first]), "\n"]
    else:
        copy = lexed("\n".join(lines[first : first + draw.randrange(2, 30)]) + "\n")
    text = "".join(copy)
    primitive = len(copy) <= 200 and primitive_root(text) == text
    return copy if primitive and kind_of(text) == kind else None


def _near(draw: random.Random, wanted: int) -> tuple[list[str], int] | None:
    """Lines that only count, that take a name from a handful, or that grow."""
    target, function, indent = (
        draw.choice("abcxyz"),
        draw.choice(["compute", "step", "f", "load"]),
        " " * draw.choice((0, 4, 8)),
    )
    start, step = draw.randrange(5), draw.choice((1, 1, 1, 2, 10))
    names = draw.sample(["left", "right", "node", "value", "total"], draw.randrange(2, 4))
    forms = {
        "counted": lambda i: f"{indent}{target} = {function}({start + step * i})",
        "numbered": lambda i: f"{indent}{target}{start + i} = {target}{start + i + 1} + {step}",
        "commented": lambda i: f"{indent}# Step {start + i}: call the {function} function",
        "named": lambda _: f"{indent}{target} = {function}({draw.choice(names)}, {target})",
        "grown": lambda i: f"{indent}return " + " + ".join([target] * (i + 1)),
    }
    form = forms[draw.choice(list(forms))]
    lines: list[str] = []
    while len(lines) < 8 or len(lexed("\n".join(lines))) < wanted or len("\n".join(lines)) < MIN_CHARACTERS:
        lines.append(form(len(lines)))
    # One line with an odd copy here and there is a line with interruptions.
    commonest = max(lines.count(line) for line in lines)
    if commonest > _MAX_SAME_LINES * len(lines):
        return None
    tokens = lexed("\n".join(lines) + "\n")
    return tokens, -(-len(tokens) // len(lines))
