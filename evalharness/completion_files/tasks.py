"""Which problem a completion is of, and what of its text the model wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from evalharness.completion_files.written import WrittenCompletion
    from evalharness.records import Problem


def folded(task_id: str) -> str:
    """One task under the names that tools give it: ``MBPP/11``, ``Mbpp/11``, ``11``."""
    return task_id.lower().removeprefix("mbpp/")


class Tasks:
    """Problems, found by a completion's task id, or, where it has none and holds its prompt, by how its text begins."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        self._by_id = {folded(problem.task_id): problem for problem in self.problems}

    def of(self, completion: WrittenCompletion) -> Problem | None:
        """The problem that a completion is of; None where that is not certain."""
        if completion.has_id:
            return self._by_id.get(folded(completion.task_id))
        if not completion.holds_prompt:
            return None
        # The longest: one prompt may be the beginning of another.
        fitting = [p for p in self.problems if completion.text.startswith(p.prompt.strip())]
        return max(fitting, key=lambda p: len(p.prompt), default=None)


def continuation(completion: WrittenCompletion, problem: Problem | None) -> str | None:
    """What the model wrote after its prompt; None where the text holds its prompt and doesn't begin with it as known.

    Some tools strip the prompt before they send it; the whitespace at its end is then the model's own.
    """
    if not completion.holds_prompt:
        return completion.text
    known = [prompt for prompt in (completion.prompt, problem.prompt if problem else None) if prompt]
    for prompt in (*known, *(prompt.strip() for prompt in known)):
        if prompt and completion.text.startswith(prompt):
            return completion.text[len(prompt) :]
    return None
