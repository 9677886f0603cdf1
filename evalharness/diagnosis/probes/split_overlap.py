"""Whether the validation rows are training rows: then the validation loss is a training loss.

Every row of both files is looked up, as it is and without its layout and case. The loss of the validation rows that
were trained on and of those that were not is told apart.
"""

from __future__ import annotations

from collections import Counter
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from evalharness.degeneration.lexemes import lexemes
from evalharness.diagnosis.losses.row_means import FEWEST_ROWS, counted_nll, figures, mean, shown
from evalharness.diagnosis.probe import Probe
from evalharness.records import Finding, NotTestable, RuledOut

if TYPE_CHECKING:
    from collections.abc import Iterable

    from evalharness.diagnosis.measured import Measured
    from evalharness.records import Outcome, Severity

NAME = "split_overlap"
FEWEST_LEXEMES = 20
"""A row of fewer words and signs (``return a + b``) is written by many people, and shows nothing."""
MOST = 0.5
"""From half of the validation rows on, the validation loss says more of training rows than of others: a cause."""
MATTERS = 0.05
"""From one row in twenty on it may move the loss by more than two evaluations differ; below it is a note."""


def split_overlap(measured: Measured) -> Outcome:
    """Look every validation row up in the training rows, and count the rows that a file holds twice."""
    subject = measured.subject
    if subject.train is None or subject.validation is None:
        return NotTestable(NAME, "no_data", "needs the training and the validation rows")
    trained = Counter(_keys(subject.train.texts()))
    trained.pop("", None)
    validated = list(_keys(subject.validation.texts()))
    counted = [key for key in validated if key]
    if not trained or not counted:
        reason = f"no row of one of the files has {FEWEST_LEXEMES} words and signs or more"
        return NotTestable(NAME, "too_few", reason)
    shared = sum(key in trained for key in counted)
    twice_trained, twice_validated = trained.total() - len(trained), len(counted) - len(set(counted))
    evidence: dict[str, Any] = {
        "validation_rows": len(counted),
        "training_rows": trained.total(),
        "validation_rows_in_training": shared,
        "training_rows_repeated": twice_trained,
        "validation_rows_repeated": twice_validated,
        "rows_too_short": len(validated) - len(counted),
    }
    again = f"Within a file, {twice_trained:,} training and {twice_validated:,} validation rows are repetitions."
    if not shared and subject.rows_not_kept:
        kept = f"none of {len(counted):,} validation rows is among the {trained.total():,} training rows that were kept"
        return NotTestable(NAME, "too_few", f"{kept}; {subject.rows_not_kept:,} other rows were not")
    if not shared:
        claim = f"None of {len(counted):,} validation rows is among the {trained.total():,} training rows. {again}"
        return RuledOut(NAME, claim, evidence)
    share, losses = shared / len(counted), _losses(measured, trained, evidence)
    claim = (
        f"{shared:,} of {len(counted):,} validation rows ({100 * share:.1f} %) are training rows, but for layout and "
        f"case. On these the validation loss shows what was learnt by heart.{losses} {again}"
    )
    severity: Severity = "cause" if share >= MOST else "contributing" if share >= MATTERS else "note"
    remedy = (
        "Split the data anew so that no validation row is a training row (drop repetitions first, then split by source "
        "or by hash), and compute the validation loss again: the logged one can't show overfitting."
    )
    return Finding(NAME, severity, claim, evidence, remedy)


def _keys(texts: Iterable[str]) -> Iterable[str]:
    """A short key for each text, the same whatever its layout and case; "" for a text too short to count."""
    for text in texts:
        words = lexemes(text.lower())
        yield blake2b(" ".join(words).encode(), digest_size=16).hexdigest() if len(words) >= FEWEST_LEXEMES else ""


def _losses(measured: Measured, trained: Counter[str], evidence: dict[str, Any]) -> str:
    """The loss of measured validation rows that were trained on, and of the others, as far as there are enough."""
    split = measured.subject.validation
    if split is None:
        return ""
    keys = list(_keys(row.prompt + row.completion for row in split.rows))
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
