"""Does the model know where a row ends? An end token that was never a target is never written.

Rows as they are read need not show the end token that a training loop put after them, so what the rows hold is a figure
and the model is asked: how probable is the end where a row truly ends? A token that was never a target is pushed below
what an untrained model gives to each, while even a barely trained one has learned how frequent its targets are.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import dataclass, replace
from statistics import fmean, median
from typing import TYPE_CHECKING

from evalharness.diagnosis.data.equal_pieces import equal_pieces
from evalharness.diagnosis.data.training_batch import IGNORED
from evalharness.diagnosis.probe import LOGITS, Probe
from evalharness.records import ENDED_BY_ITSELF, NOT_BEGUN, Finding, NotTestable, RuledOut
from evalharness.statistics import mean_over_rows, share_interval
from evalharness.statistics.plurals import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from evalharness.diagnosis.data.rows import TokenRow
    from evalharness.diagnosis.losses.token_losses import RowLosses
    from evalharness.diagnosis.measured import Measured
    from evalharness.diagnosis.subject import Split, Subject
    from evalharness.records import Interval, Outcome, Severity

NAME = "no_end_token"
ROWS = 32
"""True ends that are asked for: enough for an interval, a forward pass each."""
NEVER_A_TARGET = 0.25
"""The end was no target where its probability at true ends is below this part of both: an even share of the
vocabulary, where training starts from, and the share of ends among as many tokens, which frequency alone would give. A
token that never is a target falls to a hundredth of either within the first hundreds of steps (small models, here), to
a tenth where labels are smoothed by 0.1."""

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
    read = _read(measured, measured.established.rows(subject, split, rows))
    if not any(row.nll_nats for row in read):
        return NotTestable(NAME, "too_few", "no row has a target before its end")
    loss, by_frequency = fmean(nll for row in read for nll in row.nll_nats), _frequency_nats(read)
    if loss >= by_frequency:
        reason = (
            f"the model knows less than frequencies of its own rows: {loss:.2f} nats, these give {by_frequency:.2f}"
        )
        return NotTestable(NAME, "undecided", reason)
    ends = [(row.end_log_p, row.rank) for row in read]
    log_p = mean_over_rows({i: [value] for i, (value, _) in enumerate(ends)}, seed=subject.seed)
    expected = _without_context(subject, rows)
    stopped = _stopped(subject)
    evidence: dict[str, Any] = {
        "rows": len(rows),
        **_ends_in(subject, split),
        "p_end_at_true_end": math.exp(log_p.estimate),
        "p_end_high": math.exp(log_p.high),
        "p_by_frequency_or_even_share": expected,
        "median_rank": median(rank for _, rank in ends),
        "stopped_by_itself": None if stopped is None else [stopped.estimate, stopped.low, stopped.high],
    }
    figures = (
        f"probability {math.exp(log_p.estimate):.2g} (at most {math.exp(log_p.high):.2g}), median rank "
        f"{median(rank for _, rank in ends):.0f}, at the true ends of {counted(len(rows), 'row')}"
    )
    said = "" if stopped is None else f"; {_percent(stopped)} of the completions end by themselves"
    written = _written_at_ends(subject, read)
    if written is not None:
        evidence |= {"written_id": written, "written": subject.tokenizer.decode([written])}
    if math.exp(log_p.high) >= NEVER_A_TARGET * expected:
        learned = f"The end token was learned: {figures}{said}."
        return _not_where_generation_stops(subject, written, learned, evidence) or RuledOut(NAME, learned, evidence)
    # A model whose completions end by stop sequences all the same loses nothing by it.
    runs_on = stopped is None or stopped.low < 0.5
    never = _never_learned(figures, said, "contributing" if runs_on else "note", evidence)
    return _of_pieces(equal_pieces(split), never)


def _never_learned(figures: str, said: str, severity: Severity, evidence: dict[str, Any]) -> Finding:
    """What the model gives at true ends, as a finding; ``evidence`` names the token that it writes there, if one."""
    ends_in_targets = evidence["end_ids_in_targets"]
    counted = (
        f"the rows hold it {ends_in_targets:,} times, and it was not counted"
        if ends_in_targets
        else "no row holds it and none was added"
    )
    claim = (
        f"The end token was never learned: {figures}, where "
        f"{evidence['p_by_frequency_or_even_share']:.2g} would need no knowledge at all; {counted}{said}."
    )
    remedy = _REMEDY
    if (written := evidence.get("written_id")) is not None:
        claim += f" The rows end with {evidence['written']!r} (id {written}), and the model writes it there."
        remedy = _remedy_of_another(evidence["written"], written)
    return Finding(NAME, severity, claim, evidence, remedy)


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


def _written_at_ends(subject: Subject, read: Sequence[_Read]) -> int | None:
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


@dataclass(frozen=True, slots=True)
class _Read:
    """One row without its end tokens: its targets, their losses, and what the end would get after it.

    ``best``: the most probable id at each target and at the end, ``len(ids) + 1``.
    """

    ids: tuple[int, ...]
    best: tuple[int, ...]
    nll_nats: tuple[float, ...]
    end_log_p: float
    rank: int


def _read(measured: Measured, rows: Iterable[TokenRow]) -> list[_Read]:
    """What stands before the end of each row, and what the end would get there."""
    ends = measured.subject.end_ids
    whole = [replace(row, ids=(*_without_ends(row.ids, ends), measured.passes.end_id or 0)) for row in rows]
    return [_of(losses) for losses in measured.losses_of(whole)]


def _of(losses: RowLosses) -> _Read:
    nll = losses.nll_nats[losses.row.first_target - 1 : -1]
    # A held-out id has probability 0: beside it a mean of logarithms would know nothing else any more.
    held_out = math.log(1e-30)
    counted = losses.row.ids[losses.row.first_target : -1]
    best = tuple(losses.best[losses.row.first_target - 1 :].tolist())
    return _Read(
        counted, best, tuple(nll.tolist()), max(float(losses.end_log_p[-1]), held_out), int(losses.end_rank[-1])
    )


def _frequency_nats(rows: Sequence[_Read]) -> float:
    """The loss of knowing how frequent each id is in these very rows: the entropy of their targets."""
    counts = Counter(token_id for row in rows for token_id in row.ids)
    total = counts.total()
    return -sum(n / total * math.log(n / total) for n in counts.values())


def _without_ends(ids: tuple[int, ...], end_ids: frozenset[int]) -> tuple[int, ...]:
    last = len(ids)
    while last > 1 and ids[last - 1] in end_ids:
        last -= 1
    return ids[:last]


def _without_context(subject: Subject, rows: Sequence[TokenRow]) -> float:
    """What the end would get from an even share of the vocabulary, or from its frequency: the smaller."""
    even = len(subject.end_ids) / subject.torch_model.vocabulary_rows
    return min(even, 1 / fmean(len(row.ids) for row in rows))


def _ends_in(subject: Subject, split: Split) -> dict[str, int]:
    """How many targets are an end token, and how many rows end with one."""
    return {
        "end_ids_in_targets": sum(
            token_id in subject.end_ids for row in split.encoded for token_id in row.ids[row.first_target :]
        ),
        "rows_that_end_with_it": sum(row.ids[-1] in subject.end_ids for row in split.encoded),
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
