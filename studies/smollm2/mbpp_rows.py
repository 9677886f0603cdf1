"""MBPP's training and validation rows as conversations: the task and its tests are asked, the code is the answer."""

from __future__ import annotations

import json
from pathlib import Path

from transformers import PreTrainedTokenizerBase

from evalharness.problems import mbpp
from evalharness.records import Problem

TRAIN_IDS = range(601, 975)
VALIDATION_IDS = range(511, 601, 2)
"""Every second row of the validation split: a validation takes half the time."""
LONGEST = 200
"""Tokens of a row at most, so that no batch is slow. A row that is longer is left out, not cut."""

Turns = list[dict[str, str]]
"""A conversation, as chat templates take it."""


def write_rows(
    folder: Path,
    tokenizer: PreTrainedTokenizerBase,
    file: Path | None = None,
    limit: int | None = None,
    longest: int = LONGEST,
) -> None:
    """Write ``train.jsonl`` and ``validation.jsonl``, of each at most ``limit`` rows; ``file`` is MBPP's, if local."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, ids in (("train", TRAIN_IDS), ("validation", VALIDATION_IDS)):
        problems = mbpp.load({mbpp.NAME: file} if file else None, ids=ids)
        rows = [turns for turns in map(conversation, problems) if sum(map(len, encode(turns, tokenizer))) <= longest]
        lines = [json.dumps({"messages": turns}) + "\n" for turns in rows[:limit]]
        (folder / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")


def read_rows(path: Path) -> list[Turns]:
    return [json.loads(line)["messages"] for line in path.read_text(encoding="utf-8").splitlines()]


def conversation(problem: Problem) -> Turns:
    asked = problem.prompt.strip().strip('"').strip()
    return [
        {"role": "user", "content": asked},
        {"role": "assistant", "content": problem.canonical_solution.strip()},
    ]


def encode(turns: Turns, tokenizer: PreTrainedTokenizerBase) -> tuple[list[int], list[int]]:
    """Return the ids of prompt and answer in the chat template; the template puts the end token after the answer."""
    prompt = tokenizer.apply_chat_template(turns[:-1], tokenize=False, add_generation_prompt=True)
    answer = tokenizer.apply_chat_template(turns, tokenize=False)[len(prompt) :]
    return tuple(tokenizer.encode(text, add_special_tokens=False) for text in (prompt, answer))
