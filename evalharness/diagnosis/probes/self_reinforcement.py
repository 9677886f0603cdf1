"""Whether each copy makes the next one more likely than copies are evidence for: what remains when all else is cleared.

A line is forced k times, and the model is asked for the next copy (Xu et al. 2022, "Learning to Break the Loop",
section 2). That a copy follows copies is sound up to a point, so the curve is held against a reference: the rule of
succession (Laplace), by which somebody who knows nothing but those k copies, of which k - 1 followed another, expects
the next with probability k / (k + 1); or what the training rows do after k equal lines, where that is more.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from statistics import fmean
from typing import TYPE_CHECKING, Any

import torch

from evalharness.degeneration.batches import seq_reps
from evalharness.diagnosis.probe import LOGITS, Probe
from evalharness.diagnosis.trials.greedy_trials import encoded
from evalharness.errors import EvaluationError
from evalharness.models.log_softmax import log_probabilities_of
from evalharness.records import Finding, Interval, NotTestable, RuledOut
from evalharness.statistics import mean_over_rows, share_interval, sign_test

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from evalharness.diagnosis.measured import Measured
    from evalharness.diagnosis.subject import Split, Subject
    from evalharness.records import Outcome

NAME = "self_reinforcement"
LINES = 16
"""Lines that are forced, one forward pass each: if all rise, p is 0.00003."""
FEWEST_LINES = 8
"""The fewest of which all rising is significant (p = 0.008)."""
COPIES = 8
"""Copies that are forced: Xu et al. 2022 find the curve flat after about as many."""
FEWEST_COPIES = 3
"""A curve of two points has no course."""
LINE_TOKENS = (3, 64)
"""Shorter lines are punctuation, longer ones leave the context no room for copies."""
FEWEST_RUNS = 10
"""So many runs of k equal lines give the data's own share to within 0.3."""
P_VALUE = 0.01
"""Of the exact test that the last copies are likelier than the first, line by line."""
PREDICTED = 16
"""Rows on which the model's guesses under teacher forcing are looked at for repetition."""
MUST_BE_CLEARED = "future_leak"
"""Where this was not cleared nothing else is known, so nothing remains."""


@dataclass(frozen=True, slots=True)
class Curve:
    """The probability of a whole further copy after 1, 2, … forced copies: the mean over lines, and each line's."""

    lines: tuple[tuple[float, ...], ...]

    @property
    def copies(self) -> int:
        """How many copies were forced at most."""
        return len(self.lines[0])

    @property
    def means(self) -> list[float]:
        """Over the lines, after 1, 2, … copies."""
        return [fmean(values) for values in zip(*self.lines, strict=True)]

    def last(self, seed: int) -> Interval:
        """The last mean, with its interval over lines."""
        return mean_over_rows({i: [line[-1]] for i, line in enumerate(self.lines)}, seed=seed)

    @property
    def rises(self) -> bool:
        """Whether the last copy is likelier than the first, significantly so over the lines."""
        up, down = (sum(sign * (line[-1] - line[0]) > 0 for line in self.lines) for sign in (1, -1))
        return up > down and sign_test(up, down) < P_VALUE


def self_reinforcement(measured: Measured) -> Outcome:
    """Force copies of up to ``LINES`` lines; named only where the verdict is not healthy and all others cleared."""
    subject = measured.subject
    curve = forced_copies(subject, _lines(subject))
    if isinstance(curve, str):
        return NotTestable(NAME, "too_few", curve)
    last = curve.last(subject.seed)
    reference = reference_curve(subject.train, curve.copies)
    evidence: dict[str, Any] = {
        "lines": len(curve.lines),
        "copies": curve.copies,
        "p_next_copy": curve.means,
        "p_next_copy_reference": reference,
        "last_low": last.low,
        "last_high": last.high,
        "seq_rep_4_teacher_forced": _teacher_forced(measured),
        **_free_running(subject),
    }
    figures = (
        f"shown a line once the model gives a second one like it probability {curve.means[0]:.2f}, shown it "
        f"{curve.copies} times {last.estimate:.2f} [{last.low:.2f}, {last.high:.2f}] to one more, and that many "
        f"copies justify {reference[-1]:.2f} ({len(curve.lines)} lines)"
    )
    if not (curve.rises and last.low > reference[-1]):
        return RuledOut(NAME, f"Copies do not make copies likelier than they should: {figures}.", evidence)
    if subject.verdict in {None, "healthy", "not_judged"}:
        how = "healthy" if subject.verdict == "healthy" else "not known"
        return RuledOut(NAME, f"The behaviour is {how}, so nothing has to be explained; {figures}.", evidence)
    if (others := _not_cleared(measured)) is not None:
        return NotTestable(NAME, "undecided", f"{others}, so what remains can't be told; {figures}")
    untested = sorted({o.probe for o in measured.outcomes if isinstance(o, NotTestable)})
    evidence["not_tested"] = " ".join(untested)
    claim = (
        f"Each copy makes the next more likely, and nothing else was found: {figures}; {_in_words(evidence)}. "
        f"Could not be tested: {', '.join(untested) or 'nothing'}."
    )
    remedy = (
        "Take loops out of the training data; decode with sampling or a penalty on repetition; or train against "
        "repetition (unlikelihood on repeated n-grams, or on made-up repetitions)."
    )
    return Finding(NAME, "contributing", claim, evidence, remedy)


def forced_copies(subject: Subject, lines: Sequence[tuple[int, ...]]) -> Curve | str:
    """The curve over ``lines``, as many copies of all as the context holds of the longest; or why there is none."""
    begin = subject.begin_ids
    context = subject.model.context_length
    room = None if context is None else context + 1 - len(begin)
    fitting = [line for line in lines if room is None or len(line) * (FEWEST_COPIES + 1) <= room][:LINES]
    if len(fitting) < FEWEST_LINES:
        return f"{len(fitting)} lines of the data fit the context {FEWEST_COPIES + 1} times, {FEWEST_LINES} are needed"
    longest = max(map(len, fitting))
    copies = COPIES if room is None else min(COPIES, room // longest - 1)
    return Curve(tuple(_after_copies(subject, begin, line, copies) for line in fitting))


def _after_copies(subject: Subject, begin: Sequence[int], line: Sequence[int], copies: int) -> tuple[float, ...]:
    """The probability of one more whole copy after 1 to ``copies`` of them."""
    ids = torch.tensor([[*begin, *(list(line) * (copies + 1))]], device=subject.torch_model.device)
    of_targets = log_probabilities_of(subject.torch_model.logits(ids[:, :-1])[0], ids[0, 1:])
    if bool(of_targets.isnan().any()):
        raise EvaluationError(f"the model returns NaN on {ids.shape[1]} tokens of its own data")
    probabilities = of_targets[-copies * len(line) :].reshape(copies, len(line)).sum(dim=1).exp()
    return tuple(float(value) for value in probabilities)


def _lines(subject: Subject) -> list[tuple[int, ...]]:
    """Different lines of the validation rows (of the training rows, or the problems without any), with their ends."""
    split = subject.validation or subject.train
    texts: Iterable[str] = [row.completion for row in split.rows] if split else []
    texts = texts or [problem.canonical_solution for problem in subject.problems]
    lines = dict.fromkeys(line for text in texts for line in text.split("\n")[:-1] if line.strip())
    encoded_lines = [encoded(subject, line + "\n") for line in list(lines)[: 16 * LINES]]
    shortest, longest = LINE_TOKENS
    kept = [ids for ids in encoded_lines if ids is not None and shortest <= len(ids) <= longest]
    return kept[:: max(1, len(kept) // (2 * LINES))]


def reference_curve(split: Split | None, copies: int) -> list[float]:
    """What 1, 2, … ``copies`` equal lines are evidence for: the rule of succession, or the data's share if larger."""
    runs = [
        len(list(run))
        for row in (split.rows if split else ())
        for line, run in groupby((row.prompt + row.completion).split("\n"))
        if line.strip()
    ]
    curve = []
    for k in range(1, copies + 1):
        reached, further = sum(run >= k for run in runs), sum(run > k for run in runs)
        curve.append(max(k / (k + 1), further / reached if reached >= FEWEST_RUNS else 0.0))
    return curve


def _not_cleared(measured: Measured) -> str | None:
    """What else may explain the behaviour, or None. Notes explain nothing; what could not be tested is named apart."""
    with_finding = {o.probe: None for o in measured.outcomes if isinstance(o, Finding) and o.severity != "note"}
    if with_finding:
        return f"found was {', '.join(with_finding)}"
    if not any(isinstance(o, RuledOut) and o.probe == MUST_BE_CLEARED for o in measured.outcomes):
        return f"{MUST_BE_CLEARED} was not cleared"
    failed = {o.probe: None for o in measured.outcomes if isinstance(o, NotTestable) and o.kind == "failed"}
    return f"{', '.join(failed)} failed" if failed else None


def _free_running(subject: Subject) -> dict[str, Any]:
    """Of what the model wrote: repetition, and the share of degenerate completions by decoding."""
    figures: dict[str, Any] = {}
    for decoding in ("greedy", "sampled"):
        seen = [o for o in subject.observed if o.completion.decoding == decoding]
        flags: dict[str, list[bool]] = {}
        for o in seen:
            flags.setdefault(o.problem.task_id, []).append(o.analysis.degenerate)
        if flags:
            share = share_interval(flags)
            figures[f"degenerate_{decoding}"] = [share.estimate, share.low, share.high]
            figures[f"seq_rep_4_{decoding}"] = fmean(o.analysis.measures.seq_rep[3] for o in seen)
    return figures


def _teacher_forced(measured: Measured) -> float | None:
    """seq-rep-4 of the model's guesses along real rows; None without rows."""
    split = measured.subject.validation or measured.subject.train
    rows = split.measured[:PREDICTED] if split else ()
    guesses = [losses.best.tolist() for losses in measured.passes.losses(rows)]
    return fmean(rates[3] for rates in seq_reps(guesses)) if guesses else None


def _in_words(evidence: dict[str, Any]) -> str:
    said = [
        f"{decoding} {evidence[f'degenerate_{decoding}'][0]:.0%} degenerate with seq-rep-4 "
        f"{evidence[f'seq_rep_4_{decoding}']:.2f}"
        for decoding in ("greedy", "sampled")
        if f"degenerate_{decoding}" in evidence
    ]
    forced = evidence["seq_rep_4_teacher_forced"]
    return ", ".join([*said, *([f"under teacher forcing {forced:.2f}"] if forced is not None else [])])


PROBE = Probe(
    name=NAME,
    question="Does each copy make the next more likely, with nothing else to explain the loops?",
    run=self_reinforcement,
    order=220,
    not_worth_trying="Training against loops that reinforce themselves",
    at_most="contributing",
    forward_passes=LINES + PREDICTED,
    needs=("observed",),
    capabilities=LOGITS,
    skipped_if_leak=True,
    asked_last=True,
)
