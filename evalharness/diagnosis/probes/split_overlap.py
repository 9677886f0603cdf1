"""Whether the validation rows are training rows, or windows of the same texts: the loss is then one of training.

Every row of both files is looked up, as it is and without its layout and case. Rows that were cut from one text may
overlap and none be another one, so stretches of validation rows are looked for as well. The loss of what was trained on
and of what was not is told apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from evalharness.degeneration.lexemes import LEXEME
from evalharness.diagnosis.data.problem_search import FEWEST_LEXEMES
from evalharness.diagnosis.data.whole_texts import row_key
from evalharness.diagnosis.data.window_search import N
from evalharness.diagnosis.losses.row_means import FEWEST_ROWS, counted_nll, figures, mean, shown
from evalharness.diagnosis.probe import Probe
from evalharness.records import Finding, NotTestable, RuledOut

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Sequence

    import numpy.typing as npt

    from evalharness.diagnosis.data.rows import TokenRow
    from evalharness.diagnosis.data.window_search import Span
    from evalharness.diagnosis.losses.row_means import Floats
    from evalharness.diagnosis.measured import Measured
    from evalharness.records import Outcome, Severity

NAME = "split_overlap"
MOST = 0.5
"""From half of the validation rows on, the validation loss says more of training rows than of others: a cause."""
MOST_OF_ROW = 0.5
"""A row is a window of the same text where others hold half of its words and signs: its loss is then mostly theirs."""
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
    if overlap := _windows(measured, shared / counted, evidence):
        return overlap
    if not shared and subject.rows_not_kept:
        kept = f"none of {counted:,} validation rows is among the {trained.total():,} training rows that were kept"
        return NotTestable(NAME, "too_few", f"{kept}; {subject.rows_not_kept:,} other rows were not")
    if not shared:
        claim = (
            f"None of {counted:,} validation rows is among the {trained.total():,} training rows, and of "
            f"{evidence['rows_searched_as_windows']:,} none is a window of the same text. {again}"
        )
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


def _windows(measured: Measured, share_copied: float, evidence: dict[str, Any]) -> Finding | None:
    """Validation rows that are windows of texts which training rows are windows of, too; None if few are.

    Few, too, if more of them are training rows as a whole.
    """
    overlaps = measured.training_texts.overlaps
    searched = len(overlaps.lengths)
    covered = {row: overlaps.covered(row) for row in overlaps.spans}
    windows = sum(share >= MOST_OF_ROW for share in covered.values())
    evidence |= {
        "rows_searched_as_windows": searched,
        "rows_that_are_windows": windows,
        "rows_that_share_other_text": overlaps.shared_only,
    }
    if not searched or windows / searched < MATTERS or windows / searched <= share_copied:
        return None
    words = sum(overlaps.lengths.values())
    stretches = sum(share * overlaps.lengths[row] for row, share in covered.items()) / words
    evidence["share_of_words_in_training"] = stretches
    claim = (
        f"{windows:,} of {searched:,} validation rows ({100 * windows / searched:.1f} %) are windows of texts that "
        f"training rows are windows of, too: {100 * stretches:.0f} % of their words and signs stand in training rows, "
        "at another place of the row and up to an edge of one. Where other rows share text, it ends in a difference "
        f"({overlaps.shared_only:,} rows).{_losses_of_windows(measured, evidence)}"
    )
    severity: Severity = "cause" if windows / searched >= MOST else "contributing"
    return Finding(NAME, severity, claim, evidence, _SPLIT_TEXTS)


_SPLIT_TEXTS = (
    "Split the texts before you cut windows from them: whole files or documents to one side, or a text at one point "
    "with a gap of a window's length. Then train again: the validation loss of this split shows what was learned by "
    "heart, and overfitting does not raise it."
)


def _losses_of_windows(measured: Measured, evidence: dict[str, Any]) -> str:
    """The loss of the targets that stand in training rows as well, and of the others, as far as there are enough."""
    split, overlaps = measured.subject.validation, measured.training_texts.overlaps
    if split is None or len(split.rows) != measured.validation_texts.rows:
        return ""  # Some rows were drawn of a large file, and the indices are other ones.
    parts: dict[bool, list[Floats]] = {True: [], False: []}
    for losses in measured.validation_losses:
        if losses.row.row not in overlaps.lengths:
            continue
        row = split.rows[losses.row.row]
        inside = _stands_in(measured, losses.row, row.prompt + row.completion, overlaps.spans.get(losses.row.row, ()))
        if inside is not None:
            for wanted, values in parts.items():
                if (chosen := counted_nll(losses)[inside == wanted]).size:
                    values.append(chosen)
    said, targets = [], sum(len(values) for part in parts.values() for values in part)
    for name, wanted, words in (
        ("overlapping", True, "targets that stand in training rows"),
        ("fresh", False, "others"),
    ):
        if len(parts[wanted]) >= FEWEST_ROWS and sum(map(len, parts[wanted])) > MATTERS * targets:
            loss = mean(parts[wanted], measured.subject.seed)
            evidence |= figures(name, loss)
            said.append(f"{shown(loss)} nats per token on {words}")
    return f" Recomputed: {', '.join(said)}." if said else ""


def _stands_in(measured: Measured, row: TokenRow, text: str, spans: Sequence[Span]) -> npt.NDArray[np.bool_] | None:
    """Of each target whether its first character stands in one of ``spans``, which are in words and signs of the text.

    None where the tokens' own texts, joined, are not the text: then their places in it are not known.
    """
    pieces = [measured.subject.tokenizer.decode((token_id,)) for token_id in row.ids]
    whole = "".join(pieces)
    offset = whole.find(text[:N])  # A begin token may stand before it.
    if offset < 0 or not text.startswith(whole[offset:][: len(text)]):
        return None
    places = [found.span() for found in LEXEME.finditer(text.lower())]
    stretches = [(places[one][0], places[other - 1][1]) for one, other in spans]
    starts = np.cumsum([0, *map(len, pieces)])[row.first_target : -1] - offset
    inside = np.zeros(len(starts), dtype=bool)
    for one, other in stretches:
        inside |= (starts >= one) & (starts < other)
    return inside


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
    not_worth_trying="Removing validation rows from the training data",
    at_most="cause",
    forward_passes=64,
    needs=("train", "validation"),
)
