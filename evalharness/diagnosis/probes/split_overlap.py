"""Whether the validation rows are training rows: then the validation loss is a training loss.

Every row of both files is looked up, as it is and without its layout and case. The loss of the validation rows that
were trained on and of those that were not is told apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evalharness.diagnosis.data.problem_search import FEWEST_LEXEMES
from evalharness.diagnosis.data.whole_texts import row_key
from evalharness.diagnosis.losses.row_means import FEWEST_ROWS, counted_nll, figures, mean, shown
from evalharness.diagnosis.probe import Probe
from evalharness.records import Finding, NotTestable, RuledOut

if TYPE_CHECKING:
    from collections import Counter

    from evalharness.diagnosis.measured import Measured
    from evalharness.records import Outcome, Severity

NAME = "split_overlap"
MOST = 0.5
"""From half of the validation rows on, the validation loss says more of training rows than of others: a cause."""
MATTERS = 0.05
"""From one row in twenty on it may move the loss by more than two evaluations differ; below it is a note."""


def split_overlap(measured: Measured) -> Outcome:
    """Look every validation row up in the training rows, and count the rows that a file holds twice."""
    subject = measured.subject
    if subject.train is None or subject.validation is None:
        return NotTestable(NAME, "no_data", "needs the training and the validation rows")
    trained, validated = measured.training_texts.copies, measured.validation_texts.copies
    if not trained or not validated:
        reason = f"no row of one of the files has {FEWEST_LEXEMES} words and signs or more"
        return NotTestable(NAME, "too_few", reason)
    counted = validated.total()
    shared = sum(count for key, count in validated.items() if key in trained)
    twice_trained, twice_validated = trained.total() - len(trained), counted - len(validated)
    evidence: dict[str, Any] = {
        "validation_rows": counted,
        "training_rows": trained.total(),
        "validation_rows_in_training": shared,
        "training_rows_repeated": twice_trained,
        "validation_rows_repeated": twice_validated,
        "rows_too_short": measured.validation_texts.too_short,
    }
    again = f"Within a file, {twice_trained:,} training and {twice_validated:,} validation rows are repetitions."
    if not shared and subject.rows_not_kept:
        kept = f"none of {counted:,} validation rows is among the {trained.total():,} training rows that were kept"
        return NotTestable(NAME, "too_few", f"{kept}; {subject.rows_not_kept:,} other rows were not")
    if not shared:
        claim = f"None of {counted:,} validation rows is among the {trained.total():,} training rows. {again}"
        return RuledOut(NAME, claim, evidence)
    share, losses = shared / counted, _losses(measured, trained, evidence)
    claim = (
        f"{shared:,} of {counted:,} validation rows ({100 * share:.1f} %) are training rows, but for layout and "
        f"case. On these the validation loss shows what was learnt by heart.{losses} {again}"
    )
    severity: Severity = "cause" if share >= MOST else "contributing" if share >= MATTERS else "note"
    remedy = (
        "Split the data anew so that no validation row is a training row (drop repetitions first, then split by source "
        "or by hash), and compute the validation loss again: the logged one can't show overfitting."
    )
    return Finding(NAME, severity, claim, evidence, remedy)


def _losses(measured: Measured, trained: Counter[str], evidence: dict[str, Any]) -> str:
    """The loss of measured validation rows that were trained on, and of the others, as far as there are enough."""
    split = measured.subject.validation
    if split is None:
        return ""
    keys = [row_key(row.prompt + row.completion) for row in split.rows]
    said = []
    for name, wanted, words in (("overlapping", True, "rows that were trained on"), ("fresh", False, "the others")):
        rows = [row for row in measured.validation_losses if (keys[row.row.row] in trained) is wanted]
        if len(rows) >= FEWEST_ROWS:
            loss = mean(map(counted_nll, rows), measured.subject.seed)
            evidence |= figures(name, loss)
            said.append(f"{shown(loss)} nats per token on {words}")
    return f" Recomputed: {', '.join(said)}." if said else ""


PROBE = Probe(
    name=NAME,
    question="Are validation rows among the training rows?",
    run=split_overlap,
    order=175,
    at_most="cause",
    forward_passes=64,
    needs=("train", "validation"),
)
