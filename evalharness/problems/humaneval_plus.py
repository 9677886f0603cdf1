"""HumanEval+ of EvalPlus: HumanEval's 164 problems with 80 times as many tests (Liu et al. 2023).

The file is a local ``HumanEvalPlus.jsonl``, plain or gzipped, or EvalPlus's release v0.1.10 (Apache-2.0), which is
fetched when it is used. Its prompts and some canonical solutions are mended ones.
"""

from __future__ import annotations

from evalharness.problems.evalplus_form import EvalPlusSet
from evalharness.problems.human_eval_form import HUMAN_EVAL_STOP

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
recognises, load, release_of = SET.recognises, SET.load, SET.release_of
