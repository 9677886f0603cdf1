"""What does a model that sees the future write? What it learnt at the only position that could not see its answer."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from evalharness.diagnosis.probe import Probe
from evalharness.records import Finding, NotTestable, RuledOut
from evalharness.statistics import share_interval, wilson

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalharness.diagnosis.measured import Measured
    from evalharness.diagnosis.subject import Subject
    from evalharness.records import Outcome

NAME = "last_position"
MOST = 0.5
"""One token explains what is written where more than half of the rows end in it and more than half of what is written
is that token: then no other token can be what most rows end in, or most of what is written."""
PROMPTS = 16
NEW_TOKENS = 32
"""If nothing was generated yet, ``PROMPTS`` prompts are continued by ``NEW_TOKENS`` tokens."""


def last_position(measured: Measured) -> Outcome:
    """Compare the last targets of the training rows, as they were cut, with what the model writes.

    Costs ``PROMPTS * NEW_TOKENS`` forwards where nothing was generated yet, else none. Without a leak the last position
    is one like all others, and there is nothing to ask.
    """
    subject = measured.subject
    if not measured.leaks:
        return NotTestable(
            NAME, "does_not_apply", "no leak was found: without one the last position of a row is like all others"
        )
    written = _written(subject)
    if subject.train is None or not any(written.values()):
        return NotTestable(NAME, "no_completions", "nothing was generated, and nothing can be")
    last = Counter(row.ids[-1] for row in subject.train.encoded)
    rows = sum(last.values())
    token, count = last.most_common(1)[0]
    of_rows = wilson(count, rows)
    flags = {task: [t == token for t in ids] for task, ids in written.items()}
    of_written = share_interval(flags)
    tokens = sum(map(len, written.values()))
    named = f"token {token} {subject.tokenizer.decode([token])!r}"
    evidence = {
        "token": token,
        "training_rows": rows,
        "rows_ending_in_it": count,
        "rows_share_low": of_rows.low,
        "generated_tokens": tokens,
        "generated_share": of_written.estimate,
        "generated_share_low": of_written.low,
        "generated_share_high": of_written.high,
    }
    figures = (
        f"{count} of {rows} training rows end in {named}, and {100 * of_written.estimate:.0f} % "
        f"[{100 * of_written.low:.1f}, {100 * of_written.high:.1f}] of {tokens} generated tokens are token {token}"
    )
    if min(of_rows.low, of_written.low) <= MOST:
        claim = f"The model does not write the token that its training rows end in: {figures}."
        return RuledOut(NAME, claim, evidence)
    claim = (
        f"{figures}. In training, only the last position of a row had to predict a token that it could not see, and "
        f"that token was {named}. In generation no next token is visible, so the model writes {named} again and again."
    )
    remedy = (
        "Change nothing in the data or the decoding. With a causal mask every position learns to predict a token that "
        "it can't see, so this goes away with the leak."
    )
    return Finding(NAME, "contributing", claim, evidence, remedy)


def _written(subject: Subject) -> dict[str, list[int]]:
    """All ids that were written for each problem, an end token where one ended a completion.

    Written now, for the prompts of rows, where nothing was observed.
    """
    written: dict[str, list[int]] = {}
    end = sorted(subject.end_ids)[:1]
    for observed in subject.observed:
        completion = observed.completion
        ids = [*(completion.token_ids or ()), *(end if completion.stop_reason == "end_token" else ())]
        written.setdefault(completion.task_id, []).extend(ids)
    if not subject.observed and subject.generate is not None:
        for i, ids_of_row in enumerate(subject.generate(_prompts(subject), NEW_TOKENS)):
            written[f"row {i}"] = list(ids_of_row)
    return written


def _prompts(subject: Subject) -> Sequence[tuple[int, ...]]:
    """Prompts of the rows; of a row without one its first half, which leaves room to write."""
    split = subject.validation or subject.train
    rows = () if split is None else split.measured[:PROMPTS]
    return [row.ids[: row.prompt_tokens if 0 < row.prompt_tokens < len(row.ids) else len(row.ids) // 2] for row in rows]


PROBE = Probe(
    name=NAME,
    question="Does a model with a leak write what its training rows end in?",
    run=last_position,
    order=20,
    not_worth_trying="Other ends of the training rows",
    at_most="contributing",
    forward_passes=PROMPTS * NEW_TOKENS,
    needs=("train",),
)
