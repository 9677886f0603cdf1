"""What the model writes when it is asked in one way or in another: the same problems, greedy, compared in pairs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from evalharness.degeneration import CompletionText, analyse_all
from evalharness.diagnosis.data.spread import evenly
from evalharness.diagnosis.trials.real_inputs import spelled
from evalharness.models.requests import stop_sequences
from evalharness.records import ENDED_BY_ITSELF
from evalharness.statistics import sign_test, wilson

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from evalharness.diagnosis.subject import Observed, Subject
    from evalharness.records import Interval, Problem, StopReason

PROBLEMS = 20
"""Problems that are asked in several ways: ten that change all one way are significant (p = 0.002), and the cost of a
way stays at ``PROBLEMS * NEW_TOKENS`` steps."""
NEW_TOKENS = 64
"""Long enough for a loop to be told from content, short enough for a bounded cost."""
P_VALUE = 0.01
"""Of the exact test of pairs, shared by all ways that are tried (Bonferroni)."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A problem as ids of its prompt."""

    problem: Problem
    ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """Degenerate completions of the same problems as they were asked ``before`` and ``after`` a change (shares of 1).

    ``better`` are the problems whose completion was degenerate only before, ``worse`` those only after.
    """

    problems: int
    before: Interval
    after: Interval
    better: int
    worse: int

    @property
    def p_value(self) -> float:
        """Of as many differences one way, were both ways alike."""
        return sign_test(self.better, self.worse)

    def betters(self, tried: int = 1) -> bool:
        """Whether the change makes fewer completions degenerate, significantly so among ``tried`` changes."""
        return self.better > self.worse and self.p_value < P_VALUE / tried

    def figures(self) -> dict[str, float | int]:
        """For the evidence of a probe."""
        return {
            "problems": self.problems,
            "degenerate_before": self.before.estimate,
            "degenerate_after": self.after.estimate,
            "better": self.better,
            "worse": self.worse,
            "p_value": self.p_value,
        }


def can_change(degenerate: Sequence[bool], tried: int) -> bool:
    """Whether there are enough degenerate completions for any change to be significant."""
    return sign_test(sum(degenerate), 0) < P_VALUE / tried


def change(before: Mapping[str, bool], after: Mapping[str, bool]) -> Change:
    """Compare over the tasks that are in both. Raises ``ValueError`` where there are none."""
    tasks = [task for task in before if task in after]
    return Change(
        problems=len(tasks),
        before=wilson(sum(before[task] for task in tasks), len(tasks)),
        after=wilson(sum(after[task] for task in tasks), len(tasks)),
        better=sum(before[task] and not after[task] for task in tasks),
        worse=sum(after[task] and not before[task] for task in tasks),
    )


def new_tokens(subject: Subject) -> int:
    """How many tokens are asked for: at most half a context, so that prompts have room."""
    context = subject.model.context_length
    return NEW_TOKENS if context is None else max(1, min(NEW_TOKENS, context // 2))


def fits(subject: Subject, ids: Sequence[int]) -> bool:
    """Whether there is room for all new tokens after ``ids``; none of no tokens goes anywhere."""
    context = subject.model.context_length
    return bool(ids) and (context is None or len(ids) + new_tokens(subject) <= context)


def encoded(subject: Subject, text: str) -> tuple[int, ...] | None:
    """The ids of ``text``; None where the vocabulary can't spell it."""
    ids = spelled(subject.tokenizer, text)
    return None if ids is None else tuple(ids)


def is_split(subject: Subject, prompt: str, completion: str) -> bool | None:
    """Whether a token spans the boundary of prompt and completion; None if the vocabulary can't spell the texts."""
    apart, whole = (encoded(subject, text) for text in (prompt, prompt + completion))
    rest = encoded(subject, completion)
    return None if apart is None or whole is None or rest is None else (*apart, *rest) != whole


def as_scored(subject: Subject, prompt: str) -> tuple[int, ...] | None:
    """The ids that scoring asks with for a problem's ``prompt``; None where the vocabulary can't spell it."""
    ids = encoded(subject, subject.prompt_template.replace("{prompt}", prompt))
    return None if ids is None else (*subject.begin_ids, *ids)


def askable(subject: Subject) -> list[Asked]:
    """Up to ``PROBLEMS`` problems that fit, evenly from all, as scoring asks them.

    Evenly from those that were completed already, if these are enough: they need not be completed again.
    """
    asked = [(problem, as_scored(subject, problem.prompt)) for problem in subject.problems]
    fitting = [Asked(problem, ids) for problem, ids in asked if ids is not None and fits(subject, ids)]
    known = _observed_before(subject)
    completed_ones = [a for a in fitting if a.problem.task_id in known]
    enough = len(completed_ones) >= PROBLEMS
    return list(evenly(completed_ones if enough else fitting, PROBLEMS))


def _observed_before(subject: Subject) -> dict[str, Observed]:
    """By task the first greedy completion that is as long as a completion is here, or ended by itself."""
    room = new_tokens(subject)
    known: dict[str, Observed] = {}
    for seen in subject.observed:
        ids, is_greedy = seen.completion.token_ids, seen.completion.decoding == "greedy"
        if is_greedy and ids is not None and (len(ids) >= room or seen.completion.stop_reason in ENDED_BY_ITSELF):
            known.setdefault(seen.problem.task_id, seen)
    return known


def _begun(subject: Subject, seen: Observed) -> CompletionText:
    """The beginning of a completion, as long as one is here."""
    ids, room = seen.completion.token_ids or (), new_tokens(subject)
    begun = _written(subject, seen.problem, ids[:room], room)
    return begun if len(ids) >= room else replace(begun, stop_reason=seen.completion.stop_reason)


def judged(subject: Subject, written: Mapping[str, CompletionText]) -> dict[str, bool]:
    """By task whether the completion is degenerate; one answer to many problems is told only from all of them."""
    analyses = analyse_all(list(written.values()), subject.tokenizer.decode)
    return {task: analysis.degenerate for task, analysis in zip(written, analyses, strict=True)}


def completed_as_scored(subject: Subject) -> dict[str, CompletionText]:
    """Greedy completions of the problems that can be asked, by task; only those are generated that are not known."""
    if subject.generate is None:
        return {}
    asked, known = askable(subject), _observed_before(subject)
    made = completed(subject, [a for a in asked if a.problem.task_id not in known])
    tasks = [a.problem.task_id for a in asked]
    return {task: _begun(subject, known[task]) if task in known else made[task] for task in tasks}


def completed_otherwise(
    subject: Subject, asked: Sequence[Asked], written: Mapping[str, CompletionText]
) -> dict[str, CompletionText]:
    """Generate greedily from other prompts, by task; ``written`` are the completions of the prompts as scored.

    Where a prompt was cut and the model writes what was cut off, it goes on as it did: that is not generated again.
    """
    cut = [(a, cut_off) for a in asked if (cut_off := _cut_off(subject, a))]
    if subject.generate is None or not cut:
        return completed(subject, asked)
    begun = subject.generate([a.ids for a, _ in cut], max(len(cut_off) for _, cut_off in cut))
    same = {
        a.problem.task_id: written[a.problem.task_id]
        for (a, cut_off), ids in zip(cut, begun, strict=True)
        if tuple(ids[: len(cut_off)]) == cut_off
    }
    return same | completed(subject, [a for a in asked if a.problem.task_id not in same])


def completed(subject: Subject, asked: Sequence[Asked]) -> dict[str, CompletionText]:
    """Generate greedily, by task.

    Where the prompt was cut and the model writes what was cut off, its completion begins after that, and has as many
    tokens as without the cut: else a loop would seem to go because there is less of it.
    """
    if subject.generate is None or not asked:
        return {}
    room = new_tokens(subject)
    missing = [_cut_off(subject, a) for a in asked]
    made = subject.generate([a.ids for a in asked], room + max(map(len, missing)))
    return {
        a.problem.task_id: _written(
            subject, a.problem, ids[len(cut) :][:room] if ids[: len(cut)] == cut else ids[:room], room
        )
        for a, ids, cut in zip(asked, made, missing, strict=True)
    }


def _cut_off(subject: Subject, asked: Asked) -> tuple[int, ...]:
    """What the prompt as scored has after these ids; nothing where it does not begin with them."""
    scored = as_scored(subject, asked.problem.prompt) or ()
    return scored[len(asked.ids) :] if scored[: len(asked.ids)] == asked.ids else ()


def _written(subject: Subject, problem: Problem, ids: Sequence[int], room: int) -> CompletionText:
    """The completion up to its end token or its first stop sequence, as scoring takes it."""
    end = next((i for i, token_id in enumerate(ids) if token_id in subject.end_ids), len(ids))
    text = subject.tokenizer.decode(ids[:end])
    sequences = stop_sequences(problem, subject.prompt_template)
    stops = [place for stop in sequences if (place := text.find(stop)) >= 0]
    if stops:
        return CompletionText(
            text[: min(stops)], None, None, "stop_sequence", problem.prompt, problem.task_id, problem.language
        )
    reason: StopReason = "end_token" if end < len(ids) or len(ids) < room else "max_new_tokens"
    return CompletionText(text, tuple(ids[:end]), None, reason, problem.prompt, problem.task_id, problem.language)
