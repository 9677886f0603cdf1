"""Completions of different problems that are all the same answer: no loop in any of them, and no use of the prompt."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_matrix, vstack

from evalharness.degeneration.answers import is_answered
from evalharness.degeneration.lexemes import lexemes, windows

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from evalharness.degeneration.completion_text import CompletionText

STRETCH = 3
"""Words and signs in a row by which two answers are compared (their Jaccard index, Broder 1997)."""

MIN_SIMILARITY = 0.40
"""Two copies of one text in which one word in twenty was changed have an index of about 0.58, short ones sometimes less
than 0.5."""

MIN_PROBLEMS = 5
MIN_SHARE = 0.20
"""An answer is the same to everything if at least this number of problems, and this share of them, got it. In sound
code the largest such group is 2 of 60 (``warmup``), 2 of 164 (HumanEval) and 16 of 974 (MBPP); of what the shipped
causal checkpoint writes it is 5 of 135 and 4 of 60."""

AT_ONCE = 2_000
"""Completions compared with all others at a time."""

_DEFINED = re.compile(r"\bdef\s+(\w+)")


def same_answers(completions: Sequence[CompletionText]) -> list[int]:
    """For each completion, how many problems got the same answer if that is the same to everything, else 0.

    The name of the function that a prompt asks for does not make an answer different. Completions without a
    ``task_id`` are of a problem each. Blank completions are not answers, nor are stubs: what a stop sequence cut before
    the first statement, such as the opening fence of a chat answer, is the harness's doing and not the model's.
    """
    of_problem = _problems(completions)
    problems = int(of_problem.max(initial=-1)) + 1
    least = max(MIN_PROBLEMS, MIN_SHARE * problems)
    if problems < least:
        return [0] * len(completions)
    similar = _similar([_answer(written) for written in completions])
    # For each completion, how many different problems have one that is like it.
    members = csr_matrix(
        (np.ones(len(completions)), (np.arange(len(completions)), of_problem)), shape=(len(completions), problems)
    )
    reached = np.asarray(((similar @ members) > 0).sum(axis=1)).ravel()
    return [int(count) if count >= least else 0 for count in reached]


def _problems(completions: Sequence[CompletionText]) -> npt.NDArray[np.int64]:
    names: dict[object, int] = {}
    keys = [("task", c.task_id) if c.task_id is not None else ("own", i) for i, c in enumerate(completions)]
    return np.array([names.setdefault(key, len(names)) for key in keys], dtype=np.int64)


def _answer(written: CompletionText) -> set[tuple[str, ...]]:
    text = "" if _is_stub(written) else written.text
    for name in set(_DEFINED.findall(written.prompt or "")):
        text = re.sub(rf"\b{re.escape(name)}\b", "_", text)
    return set(windows(lexemes(text), STRETCH))


def _is_stub(written: CompletionText) -> bool:
    """Whether a stop sequence cut the completion before it had a statement."""
    return written.stop_reason == "stop_sequence" and not is_answered(written.text, written.prompt or "")


def _similar(answers: Sequence[set[tuple[str, ...]]]) -> csr_matrix:
    """Which answers are alike, shape ``(completions, completions)``, 1 for alike; a blank one is like none."""
    names: dict[tuple[str, ...], int] = {}
    rows = [i for i, answer in enumerate(answers) for _ in answer]
    columns = [names.setdefault(stretch, len(names)) for answer in answers for stretch in answer]
    shape = (len(answers), max(1, len(names)))
    incidence = csr_matrix((np.ones(len(rows), dtype=np.float32), (rows, columns)), shape=shape)
    sizes = np.array([len(answer) for answer in answers], dtype=np.float64)
    parts = []
    for first in range(0, len(answers), AT_ONCE):
        shared = (incidence[first : first + AT_ONCE] @ incidence.T).toarray()
        together = sizes[first : first + AT_ONCE, None] + sizes[None] - shared
        parts.append(csr_matrix((shared > 0) & (shared >= MIN_SIMILARITY * together)))
    return vstack(parts, format="csr")
