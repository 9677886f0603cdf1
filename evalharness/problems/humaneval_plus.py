"""HumanEval+ of EvalPlus: HumanEval's 164 problems with 80 times as many tests (Liu et al. 2023).

The file is a local ``HumanEvalPlus.jsonl``, plain or gzipped, or EvalPlus's release v0.1.10 (Apache-2.0), which is
fetched when it is used. Its prompts and some canonical solutions are mended ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalharness.problems import release_cache
from evalharness.problems.evalplus_form import EvalPlusSet
from evalharness.problems.human_eval_form import HUMAN_EVAL_STOP

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from evalharness.records import Problem, Release

NAME = "humaneval+"
ELSEWHERE = (
    "fetched from EvalPlus's release when it is used; EVALHARNESS_HUMANEVAL_PLUS names a local HumanEvalPlus.jsonl"
)
SET = EvalPlusSet(
    name=NAME,
    prefix="HumanEval/",
    file="HumanEvalPlus.jsonl",
    variable="EVALHARNESS_HUMANEVAL_PLUS",
    url="https://github.com/evalplus/humanevalplus_release/releases/download/v0.1.10/HumanEvalPlus.jsonl.gz",
    releases={"42526ec0e7d5f3ee0b06d6ced98f8c8bae3d76519151bfb3d36f79010645bd7f": "HumanEvalPlus v0.1.10"},
    rules={"HumanEval/32": "root"},
    stop=HUMAN_EVAL_STOP,
)
recognises = SET.recognises


def load(
    paths: Mapping[str, Path], download: Callable[[EvalPlusSet], Path] = release_cache.download
) -> tuple[Problem, ...]:
    """All problems of the file that ``paths`` names, else of the release. Raises ProblemError if there is none."""
    return SET.load(paths, download)


def release_of(paths: Mapping[str, Path], download: Callable[[EvalPlusSet], Path] = release_cache.download) -> Release:
    """Which release the file is of."""
    return SET.release(paths, download)
