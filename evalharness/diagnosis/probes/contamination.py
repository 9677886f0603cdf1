"""Whether the problems were in the training data, problem by problem, and what that did to the score and the loss.

A problem is seen where its prompt or its solution is in a row, as it is or without its layout, or where most of its
n-grams are in the rows. Then pass@1 is compared between seen and other problems, and a memorisation test asks
the model what is lost when the names of a solution change places, for seen problems against the others.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from itertools import pairwise
from math import isfinite
from statistics import fmean
from typing import TYPE_CHECKING, Any

import numpy as np

from evalharness.diagnosis.data.problem_search import N
from evalharness.diagnosis.probe import Probe
from evalharness.diagnosis.trials.greedy_trials import as_scored, encoded
from evalharness.records import Finding, Interval, NotTestable, RuledOut
from evalharness.statistics import pass_at_k_interval, percentile_interval, resampled_sums, wilson
from evalharness.statistics.plurals import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalharness.diagnosis.data.problem_search import How
    from evalharness.diagnosis.measured import Measured
    from evalharness.diagnosis.subject import Subject
    from evalharness.records import Outcome, Problem

NAME = "contamination"
MEASURED = 32
"""Problems of each kind that the memorisation test asks about, two forward passes each."""
FEWEST_MEASURED = 5
"""Fewer problems of a kind give no interval."""
MATTERS = 0.05
"""A share of seen problems counts once the lower bound of its interval passes this: one problem in twenty is as much as
the interval of a score on HumanEval can hide."""


def contamination(measured: Measured) -> Outcome:
    """Look every problem up in the training and the validation rows."""
    subject = measured.subject
    trained, in_validation = measured.training_texts.problems, measured.validation_texts.problems
    validated = {task: how for task, how in in_validation.items() if task not in trained}
    total = len(subject.problems)
    share = wilson(len(trained), total)
    evidence: dict[str, Any] = {
        "problems": total,
        "in_training": len(trained),
        "in_validation_only": len(validated),
        **{f"{how}_in_training": sum(h == how for h in trained.values()) for how in ("exact", "normalised", "n-gram")},
        "n": N,
        "training_rows": measured.training_texts.rows,
        "validation_rows": measured.validation_texts.rows,
        "tasks_in_training": " ".join(trained),
    }
    if not trained and not validated and subject.rows_not_kept:
        searched = f"{counted(measured.training_texts.rows + measured.validation_texts.rows, 'row')} that were kept"
        reason = (
            f"none of {counted(total, 'problem')} is in the {searched}; {subject.rows_not_kept:,} other rows were not"
        )
        return NotTestable(NAME, "too_few", reason)
    if not trained and not validated:
        claim = (
            f"None of {counted(total, 'problem')} is in the {evidence['training_rows']:,} training and "
            f"{evidence['validation_rows']:,} validation rows: neither exactly, nor without layout, nor by {N}-grams."
        )
        return RuledOut(NAME, claim, evidence)
    passed, better = _pass_rates(subject, trained, evidence)
    memory, memorised = _memorised(subject, trained, evidence)
    claim = (
        f"{len(trained)} of {counted(total, 'problem')} ({_percent(share)}) are in the training rows"
        f"{_and_in_validation(validated)}.{passed}{memory}"
    )
    matters = better or memorised or share.low > MATTERS
    remedy = (
        "Leave the problems out of the training data and train again, or score problems that are not in it; "
        "until then only the score on the others says anything."
    )
    return Finding(NAME, "contributing" if matters else "note", claim, evidence, remedy)


def _and_in_validation(validated: dict[str, How]) -> str:
    return f", and {len(validated)} others in the validation rows" if validated else ""


def _pass_rates(subject: Subject, trained: dict[str, How], evidence: dict[str, Any]) -> tuple[str, bool]:
    """pass@1 on seen and on other problems, as a sentence, and whether the seen are significantly better."""
    counts: dict[bool, dict[str, list[bool]]] = {True: defaultdict(list), False: defaultdict(list)}
    for seen in subject.observed:
        if seen.passed is not None:
            counts[seen.problem.task_id in trained][seen.problem.task_id].append(seen.passed)
    rates: dict[bool, Interval] = {}
    for is_seen, name in ((True, "seen"), (False, "unseen")):
        by_task = [(len(flags), sum(flags)) for flags in counts[is_seen].values()]
        if by_task:
            rates[is_seen] = pass_at_k_interval(by_task, 1)
            rate = rates[is_seen]
            evidence[f"pass_at_1_{name}"] = [rate.estimate, rate.low, rate.high]
    if not rates:
        return " Nothing was run, so what it did to the score is not known.", False
    if len(rates) == 1:
        which = "seen" if True in rates else "unseen"
        return f" pass@1 is {_percent(next(iter(rates.values())))}, and all problems that were run are {which}.", False
    better = rates[True].low > rates[False].high
    return f" pass@1 is {_percent(rates[True])} on these and {_percent(rates[False])} on the others.", better


def _memorised(subject: Subject, trained: dict[str, How], evidence: dict[str, Any]) -> tuple[str, bool]:
    """What exchanging names costs on seen problems against others (nats per token), and whether that is more."""
    gaps: dict[bool, list[float]] = {True: [], False: []}
    problems = subject.problems if "prompt_logprobs" in subject.model.capabilities else ()
    for problem in problems:
        of = gaps[problem.task_id in trained]
        if len(of) < MEASURED and (gap := _renaming_gap(subject, problem)) is not None:
            of.append(gap)
    evidence |= {"renamed_seen": len(gaps[True]), "renamed_unseen": len(gaps[False])}
    if len(gaps[True]) < FEWEST_MEASURED:
        return "", False
    seen = _mean(gaps[True], subject.seed)
    evidence["renaming_costs_seen_nats"] = [seen.estimate, seen.low, seen.high]
    begins = f" With its names exchanged, a solution costs {_nats(seen)} nats per token more on seen problems"
    if len(gaps[False]) < FEWEST_MEASURED:
        return f"{begins}; too few others can be renamed to compare with.", False
    other = _mean(gaps[False], subject.seed)
    more = _difference(gaps[True], gaps[False], subject.seed)
    evidence["renaming_costs_unseen_nats"] = [other.estimate, other.low, other.high]
    evidence["renaming_costs_more_nats"] = [more.estimate, more.low, more.high]
    known = "they are known by heart" if more.low > 0 else "no sign that they are known by heart"
    return f"{begins} and {_nats(other)} on others: {known}.", more.low > 0


def _renaming_gap(subject: Subject, problem: Problem) -> float | None:
    """How much more (nats per token) the solution is with its names exchanged; None where that can't be asked."""
    renamed = renamed_about(problem.prompt, problem.canonical_solution)
    if renamed is None:
        return None
    before = _loss(subject, problem.prompt, problem.canonical_solution)
    after = None if before is None else _loss(subject, *renamed)
    return None if before is None or after is None else after - before


def renamed_about(prompt: str, solution: str) -> tuple[str, str] | None:
    """Return prompt and solution with the names of parameters and variables exchanged, each for the next one.

    The names stay ordinary and are the same, only each stands where another was: everywhere, in the text as well. None
    where it is no program, or has fewer than two such names.
    """
    try:
        tree = ast.parse(prompt + solution)
    except (SyntaxError, ValueError, RecursionError):
        return None
    names = {name for node in ast.walk(tree) if (name := _bound(node)) is not None}
    ordered = sorted(names - {"self", "cls", "_"})
    if len(ordered) < 2:
        return None
    following = dict([*pairwise(ordered), (ordered[-1], ordered[0])])
    pattern = re.compile(rf"\b({'|'.join(map(re.escape, ordered))})\b")
    one, two = (pattern.sub(lambda found: following[found.group()], text) for text in (prompt, solution))
    return one, two


def _bound(node: ast.AST) -> str | None:
    """The parameter or variable that ``node`` binds."""
    if isinstance(node, ast.arg):
        return node.arg
    return node.id if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) else None


def _loss(subject: Subject, prompt: str, solution: str) -> float | None:
    """Mean loss (nats per token) of the solution after the prompt as scored; None if it doesn't fit or is infinite."""
    before, after = as_scored(subject, prompt), encoded(subject, solution)
    if not before or not after:
        return None
    ids = (*before, *after)
    limit = subject.model.context_length
    if limit is not None and len(ids) - 1 > limit:
        return None
    loss = -fmean(subject.scorer.score([ids])[0][-len(after) :])
    return loss if isfinite(loss) else None


def _mean(values: Sequence[float], seed: int) -> Interval:
    return percentile_interval(float(np.mean(values)), _resampled(values, np.random.default_rng(seed)))


def _difference(one: Sequence[float], other: Sequence[float], seed: int) -> Interval:
    """Of two means over problems, each resampled (two-sample bootstrap, Efron and Tibshirani 1993, chapter 8)."""
    rng = np.random.default_rng(seed)
    return percentile_interval(float(np.mean(one) - np.mean(other)), _resampled(one, rng) - _resampled(other, rng))


def _resampled(values: Sequence[float], rng: np.random.Generator) -> np.ndarray[Any, np.dtype[np.float64]]:
    sums = np.concatenate(list(resampled_sums(np.asarray(values, dtype=np.float64)[:, None], rng)))
    means: np.ndarray[Any, np.dtype[np.float64]] = sums[:, 0] / len(values)
    return means


def _percent(share: Interval) -> str:
    return f"{100 * share.estimate:.1f} % [{100 * share.low:.1f}, {100 * share.high:.1f}]"


def _nats(value: Interval) -> str:
    return f"{value.estimate:.2f} [{value.low:.2f}, {value.high:.2f}]"


PROBE = Probe(
    name=NAME,
    question="Were the problems in the training data?",
    run=contamination,
    order=170,
    not_worth_trying="Removing the problems from the training data",
    at_most="contributing",
    forward_passes=4 * MEASURED,
    needs=("problems", "train"),
)
