"""Which problem a completion is of, and what of its text the model wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from evalharness.completion_files.entry import FileCompletion
    from evalharness.records import Problem


def folded(task_id: str) -> str:
    """One task under the names that tools give it: ``MBPP/11``, ``Mbpp/11``, ``11``."""
    return task_id.lower().removeprefix("mbpp/")


def beginnings(prompt: str) -> tuple[str, ...]:
    """A prompt as tools send it: as it is; stripped; MBPP's docstring with its first test alone, whole and stripped.

    The last is how bigcode and EvalPlus ask for MBPP's problems, after InCoder (Fried et al. 2022). Whitespace that was
    stripped off the end is then the model's own.
    """
    forms = [prompt, prompt.strip()]
    text, *tests = prompt.split("\nassert ")
    if len(tests) > 1 and text.startswith('"""\n'):
        with_one = f'{text}\nassert {tests[0]}\n"""\n'
        forms += [with_one, with_one.strip()]
    return tuple(form for form in forms if form)


class Tasks:
    """Problems, found by a completion's task id, or, where it has none and holds its prompt, by how its text begins."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        self._by_id = {folded(problem.task_id): problem for problem in self.problems}
        self._by_beginning = [(form, problem) for problem in self.problems for form in beginnings(problem.prompt)]

    def of(self, completion: FileCompletion) -> Problem | None:
        """The problem that a completion is of; None where that is not certain."""
        if completion.has_id:
            return self._by_id.get(folded(completion.task_id))
        if not completion.holds_prompt:
            return None
        # The longest: one prompt may be the beginning of another.
        fitting = [(len(form), problem) for form, problem in self._by_beginning if completion.text.startswith(form)]
        longest = max((length for length, _ in fitting), default=0)
        found = {problem.task_id: problem for length, problem in fitting if length == longest}
        if len(found) > 1:  # MBPP/76 and MBPP/347 have the same text and first test: the position decides
            at = self.problems[completion.number - 1 : completion.number]
            return at[0] if at and at[0].task_id in found else None
        return next(iter(found.values()), None)


def continuation(completion: FileCompletion, problem: Problem | None) -> str | None:
    """What the model wrote after its prompt; None where its text should hold one and begins with none that is known."""
    if not completion.holds_prompt:
        return completion.text
    known = [prompt for prompt in (completion.prompt, problem.prompt if problem else None) if prompt]
    for form in (form for prompt in known for form in beginnings(prompt)):
        if completion.text.startswith(form):
            return completion.text[len(form) :]
    return None
