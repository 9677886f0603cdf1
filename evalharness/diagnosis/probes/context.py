"""Rows and prompts that are longer than the context, and positions that no training row reaches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evalharness.diagnosis.probe import Probe
from evalharness.diagnosis.trials.greedy_trials import as_scored, encoded
from evalharness.records import NOT_BEGUN, Finding, NotTestable, RuledOut
from evalharness.statistics import sign_test, wilson
from evalharness.statistics.plurals import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalharness.diagnosis.measured import Measured
    from evalharness.diagnosis.subject import Observed, Split, Subject
    from evalharness.records import Interval, Outcome, Severity

NAME = "context"
MATTERS = 0.05
"""A share counts once the lower bound of its interval passes this: one row or problem in twenty is as much as the
interval of a score on HumanEval's 164 problems can hide."""
P_VALUE = 0.01
"""Of the exact test that completions go wrong beyond the trained positions more than before them."""


def context(measured: Measured) -> Outcome | tuple[Finding, ...]:
    """Count what is too long; and where completions reach beyond the trained positions, ask where they go wrong."""
    subject = measured.subject
    limit = subject.model.context_length
    packed = subject.logged is not None and measured.established.packed
    shares = _shares_too_long(subject, limit, packed=packed)
    longest = measured.established.block if packed else _longest_trained(subject.train)
    if not shares and longest is None:
        reason = "the model has no longest input" if limit is None else "there are neither rows nor problems"
        return NotTestable(NAME, "no_data", f"{reason}, and no training row says how far training went")
    evidence: dict[str, Any] = {"context_tokens": limit, "longest_training_row_tokens": longest, "packed": packed}
    for name, (count, total) in shares.items():
        evidence[name] = {"too_long": count, "of": total}
    findings = [
        Finding(NAME, _SEVERITIES[name], _too_long(name, count, total, limit), evidence, _REMEDIES[name])
        for name, (count, total) in shares.items()
        if wilson(count, total).low > MATTERS
    ]
    reached = None if longest is None else _reached(subject, longest)
    if reached is not None:
        evidence |= {
            "completions": reached.completions,
            "completions_beyond_training": reached.beyond,
            "wrong_from_beyond": reached.wrong_beyond,
            "wrong_from_within": reached.wrong_within,
            "prompts_beyond_training": reached.prompts_beyond,
        }
        if reached.matters:
            findings.append(Finding(NAME, reached.severity, _never_trained(reached), evidence, _LONGER_ROWS))
    if findings:
        return tuple(findings)
    counts = "; ".join(f"{count} of {total} {name}" for name, (count, total) in shares.items())
    claims = (
        [f"longer than the context of {limit} tokens are {counts}"] if shares else ["the model has no longest input"]
    )
    if longest is not None:
        claims.append(f"the longest training row is {longest} tokens")
    if reached is not None:
        wrong = reached.wrong_beyond + reached.wrong_within
        claims.append(
            f"{reached.beyond} of {counted(reached.completions, 'completion')} reach beyond it, and "
            f"{reached.wrong_beyond} of "
            f"{wrong} degenerate ones go wrong there"
        )
    claim = f"Rows, prompts and completions fit what was trained: {', '.join(claims)}."
    return RuledOut(NAME, claim, evidence)


_SEVERITIES: dict[str, Severity] = {
    "training rows": "contributing",
    "validation rows": "contributing",
    "problem prompts": "note",
}
"""By what is too long: that problems are is a fault of the choice of problems, and of no checkpoint."""
_LONGER_ROWS = "Train on rows as long as a prompt with its completion, packed if need be; or ask for fewer new tokens."
_REMEDIES = {
    "training rows": "Train with a longer context, or split the rows: what was cut off was not learned.",
    "validation rows": "Validate on rows that fit, or with a longer context: what was cut off is in no loss.",
    "problem prompts": "Train with a longer context, or score problems that fit: the others count as not passed.",
}


def _shares_too_long(subject: Subject, limit: int | None, *, packed: bool) -> dict[str, tuple[int, int]]:
    """How many of how many are longer than the context; a prompt has to leave room for a token.

    Rows that are ``packed`` are not cut: what one block has no room for stands at the beginning of the next.
    """
    shares: dict[str, tuple[int, int]] = {}
    if limit is None:
        return shares
    for name, split in (("training rows", subject.train), ("validation rows", subject.validation)):
        if split is not None and split.encoded and not packed:
            shares[name] = _cut(subject, split, limit)
    prompts = [ids for problem in subject.problems if (ids := as_scored(subject, problem.prompt)) is not None]
    if prompts:
        shares["problem prompts"] = sum(len(ids) >= limit for ids in prompts), len(prompts)
    return shares


def _cut(subject: Subject, split: Split, limit: int) -> tuple[int, int]:
    """Rows that were cut, of all; those whose prompt alone fills the context are not among the encoded ones."""
    kept = {row.row for row in split.encoded}
    cut = {row.row for row in split.encoded if row.exceeds_context}
    for index, row in enumerate(split.rows):
        if index not in kept and len(encoded(subject, row.prompt + row.completion) or ()) > limit + 1:
            cut.add(index)
    return len(cut), len(kept | cut)


@dataclass(frozen=True, slots=True)
class _Reached:
    """One completion a problem: how many go beyond the longest training row, and where the degenerate ones go wrong."""

    longest: int
    completions: int
    beyond: int
    wrong_beyond: int
    wrong_within: int
    prompts_beyond: int

    @property
    def severity(self) -> Severity:
        """A note where most prompts are longer than any training row: the problems are unlike the rows."""
        return "note" if 2 * self.prompts_beyond > self.completions else "contributing"

    @property
    def matters(self) -> bool:
        """Whether completions go wrong beyond the trained positions, and significantly more so than within."""
        often = self.wrong_beyond > self.wrong_within
        return often and sign_test(self.wrong_beyond, self.wrong_within) < P_VALUE


def _reached(subject: Subject, longest: int) -> _Reached | None:
    """None where nothing was completed."""
    begins, ends, wrong_from = [], [], []
    for seen in _one_a_problem(subject.observed):
        prompt = as_scored(subject, seen.problem.prompt)
        ids = seen.completion.token_ids
        if prompt is None or ids is None:
            continue
        begins.append(len(prompt))
        ends.append(len(prompt) + len(ids))
        if seen.analysis.degenerate:
            loop = seen.analysis.loop_tokens
            wrong_from.append(len(prompt) + (loop[0] if loop else 0))
    if not ends:
        return None
    prompts, beyond, wrong = (sum(place > longest for place in places) for places in (begins, ends, wrong_from))
    return _Reached(longest, len(ends), beyond, wrong, len(wrong_from) - wrong, prompts)


def _one_a_problem(observed: Sequence[Observed]) -> list[Observed]:
    """The first completion of each problem that was begun: others of the same problem are no further evidence."""
    first: dict[str, Observed] = {}
    for seen in observed:
        if seen.completion.stop_reason not in NOT_BEGUN:
            first.setdefault(seen.problem.task_id, seen)
    return list(first.values())


def _never_trained(reached: _Reached) -> str:
    return (
        f"{reached.wrong_beyond} of {reached.wrong_beyond + reached.wrong_within} degenerate completions go wrong at "
        f"positions beyond {reached.longest} tokens, the longest training row: no later position was ever trained "
        f"({reached.beyond} of {counted(reached.completions, 'completion')} get there)."
    )


def _longest_trained(split: Split | None) -> int | None:
    return max((len(row.ids) for row in split.encoded), default=None) if split else None


def _too_long(name: str, count: int, total: int, limit: int | None) -> str:
    share = wilson(count, total)
    happens = {"problem prompts": "don't fit, so they are not tried"}.get(name, "are cut")
    return f"{count} of {total} {name} ({_percent(share)}) are longer than the context of {limit} tokens and {happens}."


def _percent(share: Interval) -> str:
    return f"{100 * share.estimate:.1f} % [{100 * share.low:.1f}, {100 * share.high:.1f}]"


PROBE = Probe(
    name=NAME,
    question="Do rows, prompts and completions fit the lengths that were trained?",
    run=context,
    order=190,
    not_worth_trying="A longer context",
    at_most="contributing",
    forward_passes=0,
    asked_of=frozenset({"checkpoint", "rows"}),
)
