"""Chat answers among completions: the code in their fences, where the answer is no code as it stands."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Literal

from evalharness.degeneration.fences import answer_code, has_marks, parts
from evalharness.degeneration.language import LANGUAGES
from evalharness.pipeline.judging import after_prompt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalharness.sandbox import Job

Extract = Literal["auto", "never"]


@dataclasses.dataclass(frozen=True, slots=True)
class Extracted:
    """Jobs whose chat answers are their code alone; ``answers`` is how many that are."""

    jobs: tuple[Job, ...]
    answers: int

    @property
    def words(self) -> str:
        """What is said of it; empty if nothing was extracted."""
        return words(self.answers, len(self.jobs))


def words(answers: int, completions: int) -> str:
    """What is said of answers whose code was extracted; empty without any."""
    if not answers:
        return ""
    return (
        f"{answers} of {completions} completions are chat answers: the code in their fences is judged "
        "(--extract never: the whole text)"
    )


def code_of_answer(text: str, prompt: str, name: str | None, language: str) -> str:
    """The code in the fence of a chat answer; the text as it is if it compiles after the prompt, or no code in it does.

    ``name`` is the function that the code should define, if that is known.
    """
    compiles = LANGUAGES[language].compiles
    if not has_marks(text) or compiles(prompt + text):
        return text
    code = answer_code(text, name)
    return code if code.strip() and (compiles(code) or compiles(f"{prompt}\n{code}")) else text


def extracted(jobs: Sequence[Job], extract: Extract) -> Extracted:
    """The jobs, of chat answers with the code in their fence.

    A completion is a chat answer if it has a fence and does not compile with its prompt, and its code does. So what
    compiles is judged as it is. ``never`` leaves all as they are.
    """
    coded = [code_alone(job, extract) for job in jobs]
    return Extracted(tuple(coded), sum(new is not old for new, old in zip(coded, jobs, strict=True)))


def code_alone(job: Job, extract: Extract) -> Job:
    """The job itself, or of a chat answer that with the code in its fence."""
    return _coded(job) if extract == "auto" and _is_answer(job) else job


def _is_answer(job: Job) -> bool:
    return has_marks(job.text) and not _compiles(job)


def _compiles(job: Job) -> bool:
    return LANGUAGES[job.problem.language].compiles(job.solution)


def _coded(job: Job) -> Job:
    """The job with the first text that compiles, as it is if none does.

    It is the code in the fence, after the prompt or by itself; or what is before a fence that only ends an answer.
    """
    code = after_prompt(job.problem, job.text)
    texts = ((code, False), (code, True), (job.text[slice(*parts(job.text)[0])], job.whole))
    jobs = (dataclasses.replace(job, text=text, whole=whole) for text, whole in texts if text.strip())
    return next(filter(_compiles, jobs), job)
