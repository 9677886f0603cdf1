"""Whether a token spans the boundary between prompt and completion, and whether that matters.

Where ``encode(prompt) + encode(solution)`` is not ``encode(prompt + solution)``, a model that was trained on one of
them meets the other at scoring. Many sound tokenizers merge a newline with the indentation after it, so a difference
proves nothing: the problems are asked both ways, with the whole prompt and with its last tokens left to the model. If
training rows have prompts, training and scoring should agree on where these end. In rows of text alone nothing ends
there: a model of them is sound, and only asked at a place that it doesn't know.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evalharness.diagnosis.data.shared_ends import shared_prefix
from evalharness.diagnosis.losses.row_means import figures
from evalharness.diagnosis.losses.whole_or_apart import apart_more_nats
from evalharness.diagnosis.probe import Probe
from evalharness.diagnosis.trials.asked_otherwise import Way, tried
from evalharness.diagnosis.trials.greedy_trials import (
    Asked,
    Change,
    askable,
    can_change,
    encoded,
    is_split,
    judged,
)
from evalharness.records import NOTHING_TO_DO, Finding, NotTestable, RuledOut
from evalharness.statistics.plurals import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evalharness.diagnosis.data.training_batch import TrainingBatch
    from evalharness.diagnosis.measured import Measured
    from evalharness.diagnosis.subject import Subject
    from evalharness.records import Outcome

NAME = "token_boundary"
COMPARED = 1_000
"""Rows that are encoded both ways: the share is then known to within 3 % (Wilson), for some seconds of encoding."""


def token_boundary(measured: Measured) -> Outcome:
    """Compare over training rows and problems, and ask up to 20 problems both ways where they differ.

    A few first, and the others if any of these becomes better.
    """
    subject = measured.subject
    rows = [(row.prompt, row.completion) for row in (subject.train.rows if subject.train else ()) if row.prompt]
    of_rows = _split(subject, rows[:: max(1, len(rows) // COMPARED)])
    of_problems = _split(subject, [(p.prompt, p.canonical_solution) for p in subject.problems])
    if not of_rows and not of_problems:
        return NotTestable(NAME, "no_data", "neither training rows nor problems have both a prompt and a completion")
    evidence: dict[str, Any] = {
        "rows": len(of_rows),
        "rows_that_differ": sum(of_rows),
        "problems": len(of_problems),
        "problems_that_differ": sum(of_problems),
    }
    groups = [(name, flags) for name, flags in (("training rows", of_rows), ("problems", of_problems)) if flags]
    counts = " and ".join(f"{sum(flags) or 'none'} of {len(flags)} {name}" for name, flags in groups)
    if not any(of_rows) and not any(of_problems):
        compared = [f"all {len(flags)} {name}" for name, flags in groups]
        claim = (
            f"No token spans the boundary between prompt and completion: {' and '.join(compared)} are tokenized alike "
            "apart and together."
        )
        return RuledOut(NAME, claim, evidence)
    begins = f"{counts[0].upper()}{counts[1:]} are tokenized differently apart and together"
    changed = _both_ways(measured)
    if isinstance(changed, str):
        remedy = _REMEDY if subject.generate is None else NOTHING_TO_DO
        return Finding(NAME, "note", f"{begins}; {changed}.", evidence, remedy)
    return _by_behaviour(measured, changed, begins, evidence)


def _by_behaviour(measured: Measured, changed: Change, begins: str, evidence: dict[str, Any]) -> Finding:
    """What asking both ways says, and what the model knows its rows best by."""
    evidence |= changed.figures()
    shares = (
        f"as scored, {changed.before.estimate:.0%} of {counted(changed.problems, 'completion')} are degenerate, and "
        f"{changed.after.estimate:.0%} if the model writes the prompt's last tokens itself (p = {changed.p_value:.2g})"
    )
    apart_nats = apart_more_nats(measured.subject, measured.passes)
    if apart_nats is not None:
        evidence |= figures("apart_more", apart_nats)
    if apart_nats is not None and apart_nats.high <= 0:
        # Another prompt may do the model good for many reasons: what it was trained on is not the matter.
        claim = (
            f"{begins}; the model knows its rows best encoded apart, as at scoring (encoded whole, a row costs "
            f"{-apart_nats.estimate:.3g} nats more), so this explains nothing: {shares}."
        )
        return Finding(NAME, "note", claim, evidence, NOTHING_TO_DO)
    if not changed.betters():
        return Finding(NAME, "note", f"{begins}; this does not change the result: {shares}.", evidence, NOTHING_TO_DO)
    if evidence["rows"]:
        return Finding(NAME, "contributing", f"{begins}; this changes the result: {shares}.", evidence, _REMEDY)
    claim = (
        f"{begins}; no training row says where a prompt ends, so this is about how the model is asked, and no fault of "
        f"it: {shares}. The score is lower than what the model can do."
    )
    return Finding(NAME, "note", claim, evidence | {"about_scoring": True}, _REMEDY_OF_SCORING)


_REMEDY = (
    "Encode prompt and completion in training as they are encoded at scoring, apart; or end the prompts where no token "
    "spans the boundary (before the last newline, for example)."
)


_REMEDY_OF_SCORING = (
    "Score problems whose prompts end where no token spans the boundary (before the last newline, for example), so "
    "that the model writes that token itself; or train on rows with prompts that are encoded as at scoring."
)


def _split(subject: Subject, pairs: Sequence[tuple[str, str]]) -> list[bool]:
    flags = [is_split(subject, prompt, completion) for prompt, completion in pairs if prompt and completion]
    return [differs for differs in flags if differs is not None]


def _both_ways(measured: Measured) -> Change | str:
    """Ask as scored, and with the prompt cut back to what both ways of encoding begin with; or why it can't be."""
    subject = measured.subject
    if subject.generate is None:
        return "whether this changes the result is not known: nothing can be generated here"
    pairs = [(a, _cut_back(subject, a)) for a in askable(subject)]
    as_asked, cut = [a for a, c in pairs if c is not None], [c for _, c in pairs if c is not None]
    if not cut:
        return "the prompt's own tokens stay the same in every problem that fits the context"
    written = {a.problem.task_id: measured.as_scored[a.problem.task_id] for a in as_asked}
    before = judged(subject, written)
    if not can_change(list(before.values()), 1):
        shares = f"{sum(before.values())} of {counted(len(before), 'completion')} as scored are degenerate"
        return f"this does not change the result: {shares}"
    return tried(Way(subject, cut), before, written)


def _cut_back(subject: Subject, asked: Asked) -> Asked | None:
    """The same prompt up to the tokens that it keeps when its solution follows; None where it keeps all."""
    text = subject.prompt_template.replace("{prompt}", asked.problem.prompt)
    whole = encoded(subject, text + asked.problem.canonical_solution)
    if whole is None:
        return None
    kept = shared_prefix([asked.ids, (*subject.begin_ids, *whole)])
    return Asked(asked.problem, asked.ids[:kept]) if 0 < kept < len(asked.ids) else None


def boundary_of_batch(measured: Measured) -> Outcome:
    """Whether prompt and completion of a batch are tokenized differently when they are encoded as one text."""
    batch, tokenizer = measured.subject.training_batch, measured.subject.tokenizer
    rows = list(_divided_rows(batch))
    if not rows:
        return NotTestable(NAME, "not_known", "no prompt is masked: the batch does not tell prompts from completions")
    differing = 0
    for ids, first in rows:
        try:
            whole = tokenizer.encode(tokenizer.decode(ids))
        except ValueError:
            return NotTestable(NAME, "undecided", "the text of a row can't be encoded again")
        differing += list(whole[:first]) != list(ids[:first]) and list(whole[-1:]) == list(ids[-1:])
    evidence = {"rows": len(rows), "rows_that_differ": differing}
    counts = (
        f"{differing} of {counted(len(rows), 'row')} are tokenized differently when prompt and completion are one text"
    )
    if not differing:
        return RuledOut(NAME, f"No token spans the boundary between prompt and completion: {counts}.", evidence)
    remedy = "Encode prompts at scoring as in this batch. The usual case is a newline that merges with an indentation."
    claim = f"A token spans the boundary between prompt and completion: {counts}."
    return Finding(NAME, "note", claim, evidence, remedy)


def _divided_rows(batch: TrainingBatch) -> Iterator[tuple[tuple[int, ...], int]]:
    """The ids of each text whose prompt is masked, and where its completion begins."""
    for text in batch.texts:
        if 0 < text.masked_head < len(text.ids):
            yield text.ids, text.masked_head + batch.right_offset


PROBE = Probe(
    name=NAME,
    question="Does a token span the boundary between prompt and completion?",
    run=token_boundary,
    order=100,
    not_worth_trying="Encoding prompt and completion in another way",
    at_most="contributing",
    forward_passes=2 * 20 * 64,
    asked_of=frozenset({"checkpoint", "rows"}),
)
BATCH_PROBE = Probe(
    name=NAME,
    question="Does a token span the boundary between prompt and completion?",
    run=boundary_of_batch,
    order=100,
    at_most="note",
    forward_passes=0,
    needs=("batch", "tokenizer"),
    asked_of=frozenset({"batch"}),
)
