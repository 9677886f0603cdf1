"""Whether rows of a batch begin with the begin token twice: a template wrote one, and the tokenizer another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalharness.diagnosis.probe import Probe
from evalharness.records import Finding, NotTestable, RuledOut

if TYPE_CHECKING:
    from evalharness.diagnosis.measured import Measured
    from evalharness.records import Outcome

NAME = "double_begin"
MOST = 0.5
"""A template or a tokenizer does it in every row; in fewer than half of them it is the text's own."""


def double_begin(measured: Measured) -> Outcome:
    """Count the rows whose first two ids that are attended to are both the begin token."""
    batch = measured.subject.training_batch
    begin, rows = batch.tokens.begin, batch.rows()
    if not begin:
        return NotTestable(NAME, "not_known", "no begin token is known: the tokenizer and the configuration name none")
    # More than two in a row are padding with the same id.
    twice = sum([i in begin for i in row[:3]] == [True, True, False] for row in rows)
    once = sum(bool(row) and row[0] in begin for row in rows)
    evidence = {"rows": len(rows), "rows_that_begin": once, "rows_that_begin_twice": twice}
    named = "/".join(map(str, sorted(begin)))
    if twice < MOST * len(rows) or not twice:
        claim = f"No begin token is doubled: {once} of {len(rows)} rows begin with one ({named})."
        return RuledOut(NAME, claim, evidence)
    claim = (
        f"The begin token ({named}) stands twice at the start of {twice} of {len(rows)} rows. At generation it will "
        "stand there once, which the model never saw."
    )
    remedy = (
        "Encode text that a chat template wrote with add_special_tokens=False: the template writes the begin token "
        "itself."
    )
    return Finding(NAME, "contributing", claim, evidence, remedy)


PROBE = Probe(
    name=NAME,
    question="Does the begin token stand once at the start of each row?",
    run=double_begin,
    order=95,
    at_most="contributing",
    forward_passes=0,
    needs=("batch",),
    asked_of=frozenset({"batch"}),
)
