"""Does the model know where a row ends? An end token that was never a target is never written.

Rows as they are read need not show the end token that a training loop put after them, so what the rows hold is a figure
and the model is asked: how probable is the end where a row truly ends? A token that was never a target is pushed below
what an untrained model gives to each, while even a barely trained one has learned how frequent its targets are.

A model that was tuned may have learned ends before, in other texts. So where the model before is known, it is asked at
the same places: a tuning that counts the end makes it more probable there, and sooner than it learns the text. And a
logged loss that is that of the rows without their ends says that they were no targets.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import replace
from statistics import fmean, median
from typing import TYPE_CHECKING

from evalharness.diagnosis.data.equal_pieces import equal_pieces
from evalharness.diagnosis.data.row_ends import end_place
from evalharness.diagnosis.data.training_batch import IGNORED
from evalharness.diagnosis.losses import row_means
from evalharness.diagnosis.probe import LOGITS, Probe
from evalharness.diagnosis.trials.true_ends import not_counted, not_taught, true_ends
from evalharness.records import ENDED_BY_ITSELF, NOT_BEGUN, Finding, NotTestable, RuledOut
from evalharness.statistics import mean_over_rows, share_interval
from evalharness.statistics.plurals import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from evalharness.diagnosis.data.rows import TokenRow
    from evalharness.diagnosis.measured import Measured
    from evalharness.diagnosis.subject import Split, Subject
    from evalharness.diagnosis.trials.true_ends import NotCounted, NotTaught, TrueEnd
    from evalharness.records import Interval, Outcome, Severity

NAME = "no_end_token"
ROWS = 32
"""True ends that are asked for: enough for an interval, a forward pass each."""
NEVER_A_TARGET = 0.25
"""The end was no target where its probability at true ends is below this part of both: an even share of the
vocabulary, where training starts from, and the share of ends among as many tokens, which frequency alone would give. A
token that never is a target falls to a hundredth of either within the first hundreds of steps (small models, here), to
a tenth where labels are smoothed by 0.1."""

LIKELY = 0.5
"""Where a model gives the end as much as everything else it ends its texts, whatever was counted."""
USUAL = 0.75
"""The share of the rows in which a token stands, or is the most probable one, if it is the one that ends them."""
LAST = 3
"""How many tokens before the end are looked at: line breaks may stand after a marker."""


def no_end_token(measured: Measured) -> Outcome:
    """Ask for the end at the true ends of up to ``ROWS`` rows, and count those that the rows hold."""
    subject = measured.subject
    if not subject.end_ids:
        return NotTestable(NAME, "not_known", "no end token is known: [model] end_tokens names it")
    split = subject.train or subject.validation
    rows = _whole(split) if split else []
    if split is None or len(rows) < 2:
        return NotTestable(
            NAME, "too_few", f"{counted(len(rows), 'row is', 'rows are')} whole: there are not two true ends to ask for"
        )
    laid = list(measured.established.rows(subject, split, rows))
    read = true_ends(measured, laid)
    if not any(row.nll_nats for row in read):
        return NotTestable(NAME, "too_few", "no row has a target before its end")
    loss, by_frequency = fmean(nll for row in read for nll in row.nll_nats), _frequency_nats(read)
    if loss >= by_frequency:
        reason = (
            f"the model knows less than frequencies of its own rows: {loss:.2f} nats, these give {by_frequency:.2f}"
        )
        return NotTestable(NAME, "undecided", reason)
    return _of_ends(measured, split, laid, read)


def _of_ends(measured: Measured, split: Split, rows: Sequence[TokenRow], read: Sequence[TrueEnd]) -> Outcome:
    """Whether the end is as probable at true ends as one that was a target; of a tuning, as it made it."""
    subject = measured.subject
    log_p = mean_over_rows({i: [row.end_log_p] for i, row in enumerate(read)}, seed=subject.seed)
    rank = median(row.rank for row in read)
    even, frequency = _without_context(subject, rows)
    stopped = _stopped(subject)
    evidence: dict[str, Any] = {
        "rows": len(read),
        **_ends_in(subject, split),
        "p_end_at_true_end": math.exp(log_p.estimate),
        "p_end_high": math.exp(log_p.high),
        "p_by_frequency_or_even_share": min(even, frequency),
        "median_rank": rank,
        "stopped_by_itself": None if stopped is None else [stopped.estimate, stopped.low, stopped.high],
    }
    figures = (
        f"probability {math.exp(log_p.estimate):.2g} (at most {math.exp(log_p.high):.2g}), median rank {rank:.0f}, at "
        f"the true ends of {counted(len(read), 'row')}"
    )
    said = "" if stopped is None else f"; {_percent(stopped)} of the completions end by themselves"
    written = _written_at_ends(subject, read)
    if written is not None:
        evidence |= {"written_id": written, "written": subject.tokenizer.decode([written])}
    if math.exp(log_p.high) < NEVER_A_TARGET * min(even, frequency):
        without_any = f"where {min(even, frequency):.2g} would need no knowledge at all"
        never = _never_learned(f"The end token was never learned: {figures}, {without_any}", said, stopped, evidence)
        return _of_pieces(equal_pieces(split), never)
    if math.exp(log_p.high) < LIKELY and (logged := not_counted(measured)):
        evidence |= {"without_ends_nats": logged.without_nats, "with_ends_nats": logged.with_nats}
        never = _never_learned(f"{_in_the_log(logged)} {figures}", said, stopped, evidence)
        return _of_pieces(equal_pieces(split), never)
    if math.exp(log_p.high) < frequency and (taught := not_taught(measured, rows, read)):
        evidence |= _figures_of(taught)
        never = _never_learned(f"{_in_this_tuning(taught)} {figures}", said, stopped, evidence)
        return _of_pieces(equal_pieces(split), never)
    learned = f"The end token was learned: {figures}{said}."
    return _not_where_generation_stops(subject, written, learned, evidence) or RuledOut(NAME, learned, evidence)


def _never_learned(figures: str, said: str, stopped: Interval | None, evidence: dict[str, Any]) -> Finding:
    """What the model gives at true ends, as a finding; ``evidence`` names the token that it writes there, if one.

    Only a note if completions end by stop sequences all the same: the model then loses nothing by it.
    """
    severity: Severity = "contributing" if stopped is None or stopped.low < 0.5 else "note"
    ends_in_targets = evidence["end_ids_in_targets"]
    counted = (
        f"the rows hold it {ends_in_targets:,} times, and it was not counted"
        if ends_in_targets
        else "no row holds it and none was added"
    )
    claim = f"{figures}; {counted}{said}."
    remedy = _REMEDY
    if (written := evidence.get("written_id")) is not None:
        claim += f" The rows end with {evidence['written']!r} (id {written}), and the model writes it there."
        remedy = _remedy_of_another(evidence["written"], written)
    return Finding(NAME, severity, claim, evidence, remedy)


def _in_the_log(logged: NotCounted) -> str:
    return (
        f"The end token is no target: the logged {logged.logged_nats:.4g} nats are the loss of rows without their ends "
        f"({logged.without_nats:.4g}), with them it is {logged.with_nats:.4g}. The end has:"
    )


def _in_this_tuning(taught: NotTaught) -> str:
    fell = taught.text_fell_nats
    return (
        f"The end token was not learned with the text: training lowered the loss of the text by {fell.estimate:.3f} "
        f"nats per token [{fell.low:.3f}, {fell.high:.3f}], but did not raise the end, which had a probability of "
        f"{taught.p_before:.2g} before; now:"
    )


def _figures_of(taught: NotTaught) -> dict[str, Any]:
    end = taught.end_log
    return {
        "p_end_before": taught.p_before,
        "p_end_times": [math.exp(value) for value in (end.estimate, end.low, end.high)],
        **row_means.figures("text_fell", taught.text_fell_nats),
    }


def _not_where_generation_stops(
    subject: Subject, written: int | None, learned: str, evidence: dict[str, Any]
) -> Finding | None:
    """Whether the library's own generation stops at other ids than the one that the model writes at ends."""
    config = getattr(getattr(subject.torch_model, "module", None), "generation_config", None)
    named = getattr(config, "eos_token_id", None)
    stops = frozenset(named if isinstance(named, (list, tuple)) else () if named is None else (named,))
    if written is None or not stops or written in stops:
        return None
    token = evidence["written"]
    listed = ", ".join(f"{subject.tokenizer.decode([i])!r} (id {i})" for i in sorted(stops))
    claim = (
        f"{learned} But at true ends the model writes {token!r} (id {written}), and its generation settings stop at "
        f"{listed} alone: transformers' generate() runs on past the end."
    )
    return Finding(
        NAME,
        "contributing",
        claim,
        evidence | {"generation_stops_at": sorted(stops)},
        _remedy_of_another(token, written),
    )


def _remedy_of_another(token: str, token_id: int) -> str:
    return (
        f'Name it as an end token: "eos_token_id": {token_id} in generation_config.json (in a list, if there are '
        f"others), and [model] end_tokens = [{json.dumps(token)}] in the manifest."
    )


_REMEDY = (
    "Put the end token after each training row and count it in the loss; where the padding token is the same token, "
    "mask by position and not by id."
)
_REMEDY_OF_PIECES = (
    "Nothing has to be mended if completions end by stop sequences. To let the model end them itself, put the end "
    "token between the texts before you cut them into pieces."
)


def _of_pieces(pieces: str | None, finding: Finding) -> Finding:
    """Only a note where the rows are pieces of texts: they have no ends that a model could learn."""
    if pieces is None:
        return finding
    claim = (
        f"{finding.claim} The rows are pieces of longer texts, most of them {pieces} long: where they end no text "
        "does, so that a model of them has no end to learn."
    )
    evidence = {**finding.evidence, "pieces": pieces}
    return replace(finding, severity="note", claim=claim, evidence=evidence, remedy=_REMEDY_OF_PIECES)


def _written_at_ends(subject: Subject, read: Sequence[TrueEnd]) -> int | None:
    """The marker that the model writes where the texts end: after the row, or as the last that the row holds."""
    after = _usual(row.best[-1] for row in read)
    if after in subject.end_ids:
        return after
    for back in range(1, LAST + 1):
        own = _usual(row.ids[-back] for row in read if len(row.ids) >= back)
        text = "" if own is None else subject.tokenizer.decode([own])
        if text.strip():
            written = _usual(row.best[-back - 1] for row in read if len(row.ids) >= back)
            return own if written == own and _is_marker(text) else None
    return None


def _usual(ids: Iterable[int]) -> int | None:
    """The id that stands in most of the places, None if there is none."""
    counts = Counter(ids)
    token_id, count = counts.most_common(1)[0] if counts else (None, 0)
    return token_id if count >= USUAL * counts.total() else None


def _is_marker(text: str) -> bool:
    """Whether a token's name is that of a special token, such as ``<|im_end|>`` or ``[EOS]``."""
    text = text.strip()
    return len(text) > 2 and (text[0], text[-1]) in {("<", ">"), ("[", "]")}


def _whole(split: Split) -> list[TokenRow]:
    """Rows that end where their text does, evenly from those that losses are measured on."""
    running = {i for i, row in enumerate(split.rows) if row.running}
    whole = [row for row in split.measured if not row.was_cut and row.row not in running and len(row.ids) > 2]
    return whole if len(whole) <= ROWS else [whole[i * len(whole) // ROWS] for i in range(ROWS)]


def _frequency_nats(rows: Sequence[TrueEnd]) -> float:
    """The loss of knowing how frequent each id is in these very rows: the entropy of their targets."""
    counts = Counter(token_id for row in rows for token_id in row.ids)
    total = counts.total()
    return -sum(n / total * math.log(n / total) for n in counts.values())


def _without_context(subject: Subject, rows: Sequence[TokenRow]) -> tuple[float, float]:
    """What the end would get from an even share of the vocabulary, and from its frequency."""
    even = len(subject.end_ids) / subject.torch_model.vocabulary_rows
    return even, 1 / fmean(len(row.ids) for row in rows)


def _ends_in(subject: Subject, split: Split) -> dict[str, int]:
    """How many targets are an end token, and how many rows end with one."""
    return {
        "end_ids_in_targets": sum(
            token_id in subject.end_ids for row in split.encoded for token_id in row.ids[row.first_target :]
        ),
        "rows_that_end_with_it": sum(end_place(row, subject.end_ids) is not None for row in split.encoded),
        "rows_of_all": len(split.encoded),
    }


def _stopped(subject: Subject) -> Interval | None:
    """The share of completions that the model ended."""
    flags: dict[str, list[bool]] = {}
    for seen in subject.observed:
        if seen.completion.stop_reason not in NOT_BEGUN:
            ended = seen.completion.stop_reason in ENDED_BY_ITSELF
            flags.setdefault(seen.problem.task_id, []).append(ended)
    return share_interval(flags) if flags else None


def _percent(share: Interval) -> str:
    return f"{100 * share.estimate:.1f} % [{100 * share.low:.1f}, {100 * share.high:.1f}]"


def end_of_batch(measured: Measured) -> Outcome:
    """Whether an end token is among the targets of a batch that count."""
    batch, end = measured.subject.training_batch, measured.subject.end_ids
    targets = batch.targets or ()
    if not end:
        return NotTestable(NAME, "not_known", "no end token is known: the tokenizer and the configuration name none")
    # What the attention mask leaves out is padding, whichever id it has.
    as_target = sum(t in end for row in batch.attended_of(targets) for t in row)
    as_input = sum(i in end for row in batch.rows() for i in row)
    named = "/".join(map(str, sorted(end)))
    evidence = {"end_targets": as_target, "end_inputs": as_input, "rows": len(batch.inputs)}
    if as_target:
        return RuledOut(NAME, f"The end token ({named}) is a target {as_target} times in this batch.", evidence)
    filled = not any(row[-1] == IGNORED for row in targets) and batch.attended is None
    if filled and not as_input:
        return NotTestable(
            NAME, "undecided", f"no row of the batch ends: all are full, without the end token ({named})"
        )
    inputs = f"it stands in the inputs {as_input} times, but masked in the targets" if as_input else "and in no input"
    claim = f"The end token ({named}) is never a target in {counted(len(batch.inputs), 'row')}: {inputs}."
    remedy = (
        "Put the end token after each row and let it count. If padding and end are the same id, mask the padding by "
        "position and not by id, or the end is masked with it."
    )
    return Finding(NAME, "contributing", claim, evidence, remedy)


PROBE = Probe(
    name=NAME,
    question="Was the end of a row ever a target?",
    run=no_end_token,
    order=80,
    not_worth_trying="Adding end tokens to the rows",
    at_most="contributing",
    forward_passes=ROWS,
    capabilities=LOGITS,
)
BATCH_PROBE = Probe(
    name=NAME,
    question="Is the end of a row a target in this batch?",
    run=end_of_batch,
    order=80,
    at_most="contributing",
    forward_passes=0,
    needs=("batch", "targets"),
    asked_of=frozenset({"batch", "rows"}),
)
