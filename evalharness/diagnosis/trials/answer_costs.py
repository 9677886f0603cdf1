"""What the problems' own solutions cost the model, asked as scored and in the form of its training prompts.

A model that is asked in a form that it doesn't know may write fluently, and wrongly: nothing degenerates. How probable
the known solution is tells, for each problem both ways. Some problems choose the form, and the others prove it, against
other text of the same length in place of the form, if it has any.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from random import Random
from typing import TYPE_CHECKING

from evalharness.diagnosis.data.row_form import row_forms
from evalharness.diagnosis.losses.row_means import FEWEST_ROWS
from evalharness.diagnosis.trials.greedy_trials import Asked, askable, encoded, fits
from evalharness.models.requests import continues_prompt
from evalharness.statistics import ratio_over_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from evalharness.diagnosis.data.row_form import RowForm
    from evalharness.diagnosis.subject import Subject
    from evalharness.records import Interval, Problem

MATTERS_NATS = 0.1
"""A form counts where each token of a solution costs at least a tenth of a nat less in it (10 % of perplexity)."""
POOL = 64
"""Training rows that other text is drawn from."""
CHOOSING = 3
"""Every third problem chooses the form; a form that is the true one is far better on each."""


@dataclass(frozen=True, slots=True)
class InForm:
    """What the solutions of some problems cost (nats per token): as scored, in the form, and with other text.

    ``other_text`` has the length of the form and stands in its place. ``saved`` and ``saved_over_other`` are what the
    form costs less.
    ``asked`` are all problems in the form. ``only_space``: but for white space at its end a prompt in the form is the
    prompt as scored. ``is_bare``: it adds nothing to any problem, so that no other text can stand in its place, and
    ``other_text`` is the text as scored.
    """

    form: RowForm
    problems: int
    as_scored: Interval
    in_form: Interval
    other_text: Interval
    saved: Interval
    saved_over_other: Interval
    asked: tuple[Asked, ...]
    only_space: bool
    is_bare: bool

    @property
    def matters(self) -> bool:
        """Whether the form makes solutions more probable, by more than other text does."""
        return min(self.saved.low, self.saved_over_other.low) > MATTERS_NATS


def best_form(subject: Subject) -> InForm | None:
    """The form of the training prompts in which the solutions cost least; None where none is another than scored.

    Up to 20 problems, each with two passes as scored, and as many with the form and with other text.
    """
    if subject.train is None or "prompt_logprobs" not in subject.model.capabilities:
        return None
    trial = _Trial(subject, begin=() if subject.train.rows[0].rendered else subject.begin_ids)
    asked = [a for a in askable(subject) if a.problem.canonical_solution.strip()]
    forms = [form for form in row_forms(subject.train.rows) if trial.is_other(form, asked)]
    choosing, proving = asked[::CHOOSING], [a for i, a in enumerate(asked) if i % CHOOSING]
    if not forms or len(proving) < FEWEST_ROWS:
        return None
    form = min(forms, key=lambda form: trial.costs_of(form, choosing))
    return trial.compared(form, proving, asked)


@dataclass(frozen=True, slots=True)
class _Trial:
    """``begin`` are the ids before a prompt in the form: none where a chat template writes them itself."""

    subject: Subject
    begin: tuple[int, ...]

    def is_other(self, form: RowForm, asked: Sequence[Asked]) -> bool:
        """Whether most prompts are other ones in the form than as scored, and fit the context."""
        made = [(a, self.prompt_ids(form, a.problem)) for a in asked]
        return 2 * sum(ids is not None and ids != a.ids and fits(self.subject, ids) for a, ids in made) > len(asked)

    def prompt_ids(self, form: RowForm, problem: Problem) -> tuple[int, ...] | None:
        before, after = form.around(problem.prompt)
        ids = encoded(self.subject, before + problem.prompt + after)
        return None if ids is None else (*self.begin, *ids)

    def costs_of(self, form: RowForm, asked: Sequence[Asked]) -> float:
        """The mean cost over problems that can be asked so; infinite without any."""
        costs = [cost for a in asked if (cost := self.in_form(form, a.problem)) is not None]
        return sum(costs) / len(costs) if costs else float("inf")

    def compared(self, form: RowForm, proving: Sequence[Asked], asked: Sequence[Asked]) -> InForm | None:
        rows = []
        is_bare = all(form.around(a.problem.prompt) == ("", "") for a in proving)
        for a in proving:
            tokens = encoded(self.subject, a.problem.canonical_solution.strip())
            scored = self.as_scored(form, a)
            other = scored if is_bare else self.with_other_text(form, a.problem)
            costs = (scored, self.in_form(form, a.problem), other)
            if tokens and None not in costs:
                rows.append((len(tokens), *costs))
        if len(rows) < FEWEST_ROWS:
            return None
        lengths, *columns = zip(*rows, strict=True)
        before, own, instead = columns
        saved, over_other = ([c - o for c, o in zip(costs, own, strict=True)] for costs in (before, instead))
        means = [
            ratio_over_rows(costs, lengths, seed=self.subject.seed)
            for costs in (before, own, instead, saved, over_other)
        ]
        in_form = [Asked(a.problem, ids) for a in asked if (ids := self.prompt_ids(form, a.problem)) is not None]
        return InForm(
            form=form,
            problems=len(rows),
            as_scored=means[0],
            in_form=means[1],
            other_text=means[2],
            saved=means[3],
            saved_over_other=means[4],
            asked=tuple(a for a in in_form if fits(self.subject, a.ids)),
            only_space=all(self.differs_in_space(form, a.problem) for a in proving),
            is_bare=is_bare,
        )

    def differs_in_space(self, form: RowForm, problem: Problem) -> bool:
        before, after = form.around(problem.prompt)
        text = before + problem.prompt + after
        scored = self.subject.prompt_template.replace("{prompt}", problem.prompt)
        return scored != text and scored.rstrip() == text.rstrip()

    def as_scored(self, form: RowForm, asked: Asked) -> float | None:
        """The least that the solution costs after the prompt as scored, whichever white space stands before it."""
        answers = self.answers(form, asked.problem)
        if asked.ids and self.subject.tokenizer.decode(asked.ids[-1:]).isspace():
            answers |= {asked.problem.canonical_solution.lstrip()}
        return self.least(asked.ids, answers, self.restated(self.subject.prompt_template, asked.problem))

    def in_form(self, form: RowForm, problem: Problem) -> float | None:
        ids = self.prompt_ids(form, problem)
        restated = self.restated(form.template, problem)
        return None if ids is None else self.least(ids, self.answers(form, problem), restated)

    def with_other_text(self, form: RowForm, problem: Problem) -> float | None:
        """With ids of training rows, drawn one by one, in place of what the form adds."""
        before, after = (encoded(self.subject, text) for text in form.around(problem.prompt))
        prompt = encoded(self.subject, problem.prompt)
        if before is None or after is None or prompt is None or self.subject.train is None:
            return None
        pool = [token_id for row in self.subject.train.encoded[:POOL] for token_id in row.ids]
        rng = Random(f"{self.subject.seed} {problem.task_id}")  # noqa: S311 - a trial, no secret
        drawn = [rng.choices(pool, k=len(ids)) for ids in (before, after)]
        restated = self.restated(form.template, problem)
        return self.least((*self.begin, *drawn[0], *prompt, *drawn[1]), self.answers(form, problem), restated)

    def answers(self, form: RowForm, problem: Problem) -> set[str]:
        """The solution as it is, and with the white space that answers begin with in training."""
        return {problem.canonical_solution, form.lead + problem.canonical_solution.lstrip()}

    def restated(self, template: str, problem: Problem) -> tuple[int, ...]:
        """What an answer may begin with: the problem itself, if something stands between it and the answer.

        A chat answers with the whole function, whose body alone it would never write.
        """
        return () if continues_prompt(template) else encoded(self.subject, problem.prompt) or ()

    def least(self, before: tuple[int, ...], answers: Iterable[str], restated: tuple[int, ...]) -> float | None:
        """What the cheapest of ``answers`` costs (nats, all its tokens together), also behind the problem ``restated``.

        None if none fits or is finite.
        """
        befores = dict.fromkeys([before, (*before, *restated)])
        costs = [self.cost(ids, answer) for ids in befores for answer in sorted(answers)]
        return min((cost for cost in costs if cost is not None and isfinite(cost)), default=None)

    def cost(self, before: tuple[int, ...], answer: str) -> float | None:
        """What all tokens of ``answer`` cost together (nats); None if it does not fit."""
        limit, after = self.subject.model.context_length, encoded(self.subject, answer)
        if not before or not after or (limit is not None and len(before) + len(after) - 1 > limit):
            return None
        return -sum(self.subject.scorer.score([(*before, *after)])[0][-len(after) :])
