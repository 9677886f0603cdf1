"""Which problem a completion is of, and what of its text the model wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

    from evalharness.completion_files.entry import FileCompletion
    from evalharness.records import Problem


class NamedProblems(Protocol):
    """Problems, and what other tools call them and ask for them with."""

    @property
    def problems(self) -> tuple[Problem, ...]:
        """The problems in their order."""
        ...

    def names_of(self, problem: Problem) -> tuple[str, ...]:
        """Other names than its task id that a problem has in files of other tools."""
        ...

    def prompts_of(self, problem: Problem) -> tuple[str, ...]:
        """Other prompts than its own that tools ask for a problem with."""
        ...


class Tasks:
    """Problems, found by a completion's task id, or, if it has none and holds its prompt, by how its text begins.

    Upper and lower case are the same in a task id.
    """

    def __init__(self, *sets: NamedProblems) -> None:
        named = [(one_set, problem) for one_set in sets for problem in one_set.problems]
        self.problems = tuple(problem for _, problem in named)
        self._by_id = {
            name.lower(): problem
            for one_set, problem in named
            for name in (problem.task_id, *one_set.names_of(problem))
        }
        self._prompts = {problem.task_id: (problem.prompt, *one_set.prompts_of(problem)) for one_set, problem in named}
        self._by_beginning = [
            (form, problem) for problem in self.problems for form in _beginnings(self.prompts_of(problem))
        ]

    def of(self, completion: FileCompletion) -> Problem | None:
        """The problem that a completion is of; None if that is not certain."""
        if completion.has_id:
            return self._by_id.get(completion.task_id.lower())
        if not completion.holds_prompt:
            return None
        # The longest: one prompt may be the beginning of another.
        fitting = [(len(form), problem) for form, problem in self._by_beginning if completion.text.startswith(form)]
        longest = max((length for length, _ in fitting), default=0)
        candidates = {problem.task_id: problem for length, problem in fitting if length == longest}
        if len(candidates) > 1:  # two problems with the same prompt: the position decides
            at = self.problems[completion.number - 1 : completion.number]
            return at[0] if at and at[0].task_id in candidates else None
        return next(iter(candidates.values()), None)

    def prompts_of(self, problem: Problem) -> tuple[str, ...]:
        """Every prompt that tools ask for a problem with, its own first."""
        return self._prompts[problem.task_id]


def continuation(completion: FileCompletion, prompts: Iterable[str] = ()) -> str | None:
    """What the model wrote after its prompt, which is the file's own or one of ``prompts``.

    None if the text should hold a prompt and begins with none of them.
    """
    if not completion.holds_prompt:
        return completion.text
    own = () if completion.prompt is None else (completion.prompt,)
    for form in _beginnings((*own, *prompts)):
        if completion.text.startswith(form):
            return completion.text[len(form) :]
    return None


def _beginnings(prompts: Iterable[str]) -> list[str]:
    """Each prompt as tools send it: as it is, and stripped. Whitespace that was stripped is then the model's own."""
    return [form for prompt in prompts for form in (prompt, prompt.strip()) if form]
