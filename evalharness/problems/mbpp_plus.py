"""MBPP+ of EvalPlus: the problems of MBPP that its authors checked by hand, with 35 times as many tests.

Version 0.2.0 has 378 problems, 0.1.0 had 399 (Liu et al. 2023). The file is a local ``MbppPlus.jsonl``, plain or
gzipped, or EvalPlus's release v0.2.0 (Apache-2.0), which is fetched when it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalharness.problems import mbpp
from evalharness.problems.evalplus_form import EvalPlusSet

if TYPE_CHECKING:
    from evalharness.records import AnswerRule

NAME = "mbpp+"
ELSEWHERE = "fetched from EvalPlus's release when it is used; EVALHARNESS_MBPP_PLUS names a local MbppPlus.jsonl"
# Lists whose order the task leaves open, functions that give a match or nothing, tasks that can be read in two ways.
_RULES: dict[AnswerRule, tuple[int, ...]] = {
    "same_elements": (2, 7, 111, 140, 232, 249, 579, 769),
    "not_none": (737, 787, 794),
    "anything": (164,),
    "equal_or_zero": (295,),
    "padded_digits": (558,),
    "perpendicular_height": (581,),
}
_TYPES: dict[str, tuple[int, ...]] = {
    "t": (
        *(2, 116, 132, 143, 222, 261, 273, 394, 399, 421, 424),
        *(429, 470, 560, 579, 596, 616, 630, 726, 740, 744, 809),
    ),
    "lt": (63, 64, 70, 94, 120, 237, 272, 299, 400, 409, 417, 438, 473, 614, 780),
    "tt": (259, 278, 401, 445),
    "t+": (580, 615, 791),
    "t -": (250, 405, 446, 617, 720, 763, 808),
    "t - -": (307,),
    "lt -": (75, 413, 444, 753),
    "lt - -": (722,),
    "- t": (106, 750),
    "ls": (115,),
    "f c": (124,),
    "c": (252,),
}
SET = EvalPlusSet(
    name=NAME,
    prefix="Mbpp/",
    file="MbppPlus.jsonl",
    variable="EVALHARNESS_MBPP_PLUS",
    url="https://github.com/evalplus/mbppplus_release/releases/download/v0.2.0/MbppPlus.jsonl.gz",
    releases={"b54e762755248ca411b523c917fa9f93c07b5ff2966bf60b3917b853926a3dad": "MbppPlus v0.2.0"},
    rules={f"Mbpp/{number}": rule for rule, numbers in _RULES.items() for number in numbers},
    stop=mbpp.STOP,
    types={f"Mbpp/{number}": words for words, numbers in _TYPES.items() for number in numbers},
)
recognises, load, release_of = SET.recognises, SET.load, SET.release_of
