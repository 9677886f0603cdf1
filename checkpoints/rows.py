"""What the shipped models are trained on: functions of the installed Python's library, and generated ones."""

from __future__ import annotations

import ast
import gzip
import itertools
import json
import re
import sysconfig
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from random import Random
from typing import Any

from examples import Example, core
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

WARMUP = Path(__file__).resolve().parent.parent / "evalharness" / "problems" / "warmup.jsonl"
VOCABULARY = 1024
CONTEXT_LENGTH = 320
NOT_NAMES = set(
    "def for and not int len str sum max min abs set list dict any all map zip sorted range return lambda class while "
    "with from import pass else elif try except finally raise yield global assert del break continue nonlocal async "
    "await tuple best counts result total".split()
)


def library_sources() -> list[str]:
    """The text of each of the standard library's modules, in a fixed order, its tests left out."""
    root = Path(sysconfig.get_path("stdlib"))
    left_out = {"site-packages", "test", "tests", "idlelib", "lib2to3", "turtledemo", "ensurepip"}
    paths = sorted(p for p in root.rglob("*.py") if not left_out & set(p.relative_to(root).parts))
    return [path.read_text(encoding="utf-8", errors="replace") for path in paths]


def library_functions(sources: list[str]) -> list[str]:
    """Functions of 60 to 800 characters, taken out of their classes."""
    found = {}
    for source in sources:
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef):
                text = textwrap.dedent(ast.get_source_segment(source, node, padded=True) or "")
                if 60 <= len(text) <= 800 and text.startswith("def "):
                    found[text.rstrip() + "\n"] = None
    return list(found)


def random_identifiers(sources: list[str], rng: Random, count: int = 3000) -> list[str]:
    """Names of the kind that programmers choose: the library's own words, alone and in pairs."""
    words = sorted(set(re.findall(r"\b[a-z]{3,9}\b", "\n".join(sources[::5]))))
    words = [w for w in words if w not in NOT_NAMES]
    names = [
        rng.choice(words) if rng.random() < 0.5 else f"{rng.choice(words)}_{rng.choice(words)}" for _ in range(count)
    ]
    return sorted({n for n in names if len(n) <= 14})


def not_a_warmup_problem() -> Callable[[Example], bool]:
    """Refuses a generated function that says what a warmup problem says, or has its name."""
    return none_of([json.loads(line) for line in WARMUP.read_text(encoding="utf-8").splitlines()])


def none_of(problems: Iterable[Mapping[str, Any]]) -> Callable[[Example], bool]:
    """Refuses a generated function that says what one of the problems says, or has its name."""
    names, sentences = set(), set()
    for problem in problems:
        names.add(problem["entry_point"])
        function = ast.parse(problem["prompt"]).body[0]
        assert isinstance(function, ast.FunctionDef)
        sentence = (ast.get_docstring(function) or "").split("\n\n")[0]
        sentences.add(core(sentence, [a.arg for a in function.args.args]))
    return lambda example: example.name not in names and example.sentence not in sentences


def train_tokenizer(texts: list[str]) -> Tokenizer:
    """Byte pairs within words, within runs of punctuation and spaces, and never over a newline.

    A space never belongs to the word after it, so that a name is the same tokens wherever it stands.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"\n|[A-Za-z]+|\d|[^A-Za-z\d\n]+"), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=VOCABULARY, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def base_rows(
    tokenizer: Tokenizer, generated: Iterator[Example], library: list[str], rng: Random, tokens_in_all: int
) -> list[list[int]]:
    """Rows of one to four functions with blank lines between them; each ends in a newline and fits the context."""
    rows, tokens = [], 0
    while tokens < tokens_in_all:
        size = rng.choice([1, 1, 2, 2, 3, 4])
        if rng.random() < 0.2:
            functions = [rng.choice(library) for _ in range(min(size, 2))]
        else:
            functions = [e.prompt + e.solution for e in itertools.islice(generated, size)]
        ids = tokenizer.encode("\n\n".join(functions)).ids
        if len(ids) <= CONTEXT_LENGTH:
            rows.append(ids)
            tokens += len(ids)
    return rows


def tuning_rows(generated: Iterator[Example], count: int, name: str) -> list[dict[str, str]]:
    return [
        {"id": f"{name}_{i}", "prompt": e.prompt, "solution": e.solution}
        for i, e in enumerate(itertools.islice(generated, count))
    ]


def stored_rows(file: Path) -> list[dict[str, str]]:
    """The rows of a file that :func:`write_rows` wrote."""
    data = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    return [json.loads(line) for line in data.splitlines()]


def read_rows(tokenizer: Tokenizer, file: Path) -> list[list[int]]:
    """Rows as they are trained on: the ids of the prompt, then those of the solution."""
    pairs = [(row["prompt"], row["solution"]) for row in stored_rows(file)]
    rows = [tokenizer.encode(prompt).ids + tokenizer.encode(solution).ids for prompt, solution in pairs]
    return [row[:CONTEXT_LENGTH] for row in rows]


def write_rows(rows: Iterable[Mapping[str, Any]], *files: Path) -> None:
    """Write JSONL, compressed where the file's name ends in ``.gz``; the same rows give the same bytes."""
    data = "".join(json.dumps(row) + "\n" for row in rows).encode()
    for file in files:
        file.write_bytes(gzip.compress(data, mtime=0) if file.suffix == ".gz" else data)
