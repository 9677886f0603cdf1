"""One batch as a training loop sees it, and what it alone tells: offsets, padding, ends, ids, the prompt's boundary."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from evalharness.diagnosis.probes.label_shift import IGNORED, batch_offsets
from evalharness.errors import EvalHarnessError
from evalharness.records import Finding, NotTestable, RuledOut
from evalharness.statistics import wilson

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import torch

    from evalharness.models.protocols import Tokenizer
    from evalharness.records import Outcome

MOST = 0.5
"""Most of what is counted is padding from more than half of it on: the loss then says more about padding than text."""
SOME = 0.05
"""Less padding than one target in twenty moves a loss by less than runs of other seeds do."""
RUN = 8
"""As many equal targets at the end of a row are padding even where nobody named it: code ends in one or two line ends,
and a row of one token alone is no text."""
CLEAR = 0.95
"""Another offset is meant where this share of the targets is what stands there; a few may be masked or replaced."""


@dataclass(frozen=True, slots=True)
class TrainingBatch:
    """Rows of input ids and of targets, equal in shape; ``targets`` is None where the batch has none.

    ``attended`` says by position what the attention mask leaves in. ``shifts_itself``: the model compares the logits at
    a position with the target at the next one, as Hugging Face's ``labels`` want it, so that targets equal inputs.
    """

    inputs: tuple[tuple[int, ...], ...]
    targets: tuple[tuple[int, ...], ...] | None
    attended: tuple[tuple[bool, ...], ...] | None
    shifts_itself: bool

    @property
    def right_offset(self) -> int:
        """Where, from its input, the id is that a target should be."""
        return 0 if self.shifts_itself else 1

    def rows(self) -> tuple[tuple[int, ...], ...]:
        """The inputs without what the attention mask leaves out."""
        if self.attended is None:
            return self.inputs
        kept = zip(self.inputs, self.attended, strict=True)
        return tuple(tuple(i for i, seen in zip(ids, mask, strict=True) if seen) for ids, mask in kept)


def read_batch(given: Any) -> TrainingBatch:
    """Understand a batch: a pair of inputs and targets, ids alone, or a mapping with ``input_ids`` and ``labels``.

    Tensors or lists of shape ``(rows, length)``. Raises :class:`EvalHarnessError` for anything else.
    """
    if isinstance(given, Mapping) or hasattr(given, "keys"):
        if "input_ids" not in given:
            raise EvalHarnessError(f"a batch with the keys {', '.join(map(str, given))}: expected input_ids and labels")
        inputs, labels, mask = _ids(given["input_ids"]), given.get("labels"), given.get("attention_mask")
        targets = None if labels is None else _ids(labels)
        attended = None if mask is None else tuple(tuple(map(bool, row)) for row in _ids(mask))
        return _checked(TrainingBatch(inputs, targets, attended, shifts_itself=True))
    if isinstance(given, (tuple, list)) and len(given) == 2 and hasattr(given[0], "shape"):
        return _checked(TrainingBatch(_ids(given[0]), _ids(given[1]), None, shifts_itself=False))
    if hasattr(given, "shape"):
        return _checked(TrainingBatch(_ids(given), None, None, shifts_itself=False))
    kind = type(given).__name__
    raise EvalHarnessError(f"a batch that is a {kind}: expected (inputs, targets) or a mapping with input_ids, labels")


def _ids(tensor: torch.Tensor | Sequence[Sequence[int]]) -> tuple[tuple[int, ...], ...]:
    listed = tensor.tolist() if hasattr(tensor, "tolist") else tensor
    if not listed or not all(isinstance(row, (list, tuple)) and row and isinstance(row[0], int) for row in listed):
        shape = tuple(getattr(tensor, "shape", ())) or f"a {type(tensor).__name__}"
        raise EvalHarnessError(f"a batch with {shape} for ids: expected whole numbers of shape (rows, length)")
    return tuple(tuple(row) for row in listed)


def _checked(batch: TrainingBatch) -> TrainingBatch:
    for name, other in (("targets", batch.targets), ("attention mask", batch.attended)):
        if other is not None and [len(row) for row in other] != [len(row) for row in batch.inputs]:
            raise EvalHarnessError(f"a batch whose inputs and {name} differ in shape")
    return batch


def ids_in_range(batch: TrainingBatch, rows: int) -> Finding | RuledOut:
    """Whether every id of the batch has a row among the model's ``rows``. Nothing can be run where one has none."""
    inputs = [i for row in batch.inputs for i in row]
    targets = [t for row in batch.targets or () for t in row if t != IGNORED]
    outside = sorted({i for i in (*inputs, *targets) if not 0 <= i < rows})
    evidence = {"rows": rows, "highest_id": max((*inputs, *targets)), "ids_out_of_range": len(outside)}
    if not outside:
        return RuledOut(
            "vocabulary", f"Every id of the batch has a row: up to {evidence['highest_id']} of {rows}.", evidence
        )
    shown = ", ".join(map(str, outside[:5])) + (", …" if len(outside) > 5 else "")
    claim = f"Ids are out of range: {len(outside)} ids of the batch have none of the model's {rows} rows ({shown})."
    remedy = "Build the model with as many rows as the tokenizer has ids, or take the tokenizer that belongs to it."
    return Finding("vocabulary", "cause", claim, evidence, remedy)


def shift_of(batch: TrainingBatch) -> Outcome:
    """Which id, counted from its input, each target is."""
    probe = "label_shift"
    if batch.targets is None:
        return NotTestable(probe, "no_data", "the batch has no targets")
    found = batch_offsets(batch.inputs, batch.targets)
    right, agreement = batch.right_offset, found.agreement
    evidence: dict[str, Any] = {"right_offset": right} | {f"offset_{o}": share for o, share in agreement.items()}
    how = "the model shifts them itself" if batch.shifts_itself else "the loop compares position by position"
    if not agreement:
        return NotTestable(probe, "no_data", "no target of the batch counts")
    if agreement.get(right, 0.0) >= CLEAR:
        claim = f"The targets are the next tokens: {agreement[right]:.0%} of them, where {how}."
        return RuledOut(probe, claim, evidence)
    best = max(agreement, key=lambda offset: agreement[offset])
    if agreement[best] < CLEAR:
        at = f"{agreement[best]:.0%} at offset {best}"
        return NotTestable(
            probe,
            "does_not_apply",
            f"the targets are the inputs at no offset from -1 to 3 ({at}): another kind of target",
        )
    net = best - right
    what = {
        -1: "its own input: the targets are not shifted",
        1: "the token after the next: the targets are shifted twice",
        2: "the third token: the targets are shifted three times",
    }.get(net, "a token before its input")
    claim = f"Each position is compared with {what} ({agreement[best]:.0%} of the targets, where {how})."
    remedy = (
        "Pass labels that equal the inputs: the model shifts them." if batch.shifts_itself
        else "Compare the logits at a position with the id right after it: inputs = ids[:, :-1], targets = ids[:, 1:]."
    )  # fmt: skip
    return Finding(probe, "cause", claim, evidence, remedy)


def padding_of(batch: TrainingBatch, padding: frozenset[int], end: frozenset[int]) -> Outcome:
    """What share of the targets that count is padding."""
    probe = "padding_in_loss"
    if batch.targets is None:
        return NotTestable(probe, "no_data", "the batch has no targets")
    counted = sum(t != IGNORED for row in batch.targets for t in row)
    if not counted:
        return NotTestable(probe, "no_data", "no target of the batch counts")
    padded = sum(_padded_targets(batch, i, padding, end) for i in range(len(batch.targets)))
    share = padded / counted
    evidence = {"targets": counted, "padding": padded, "share": share, "rows": len(batch.targets)}
    said = f"{padded:,} of {counted:,} targets that count are padding ({share:.0%})"
    if share <= SOME:
        return RuledOut(probe, f"The loss does not count padding: {said}.", evidence)
    remedy = f"Give padding the target {IGNORED} (ignore_index), or mask it in the loss."
    return Finding(
        probe, "cause" if share > MOST else "contributing", f"The loss counts padding: {said}.", evidence, remedy
    )


def _padded_targets(batch: TrainingBatch, row: int, padding: frozenset[int], end: frozenset[int]) -> int:
    """How many targets of one row count and are padding: masked in the input, named so, or the tail of one id."""
    targets = (batch.targets or ())[row]
    tail = len(list(takewhile(lambda t: t == targets[-1], reversed(targets))))
    last = targets[-1]
    if last == IGNORED:
        return 0
    if batch.attended is not None and not all(batch.attended[row]):
        mask = batch.attended[row]
        return sum(t != IGNORED and not seen for t, seen in zip(targets, mask, strict=True))
    if last in padding and last not in end:
        return tail
    # The first of a tail of end tokens is the end; the rest is what the row was filled up with.
    return tail - 1 if (last in padding | end and tail > 1) or tail >= RUN else 0


def end_of(batch: TrainingBatch, end: frozenset[int]) -> Outcome:
    """Whether an end token is among the targets that count."""
    probe = "no_end_token"
    if batch.targets is None:
        return NotTestable(probe, "no_data", "the batch has no targets")
    if not end:
        return NotTestable(probe, "not_known", "no end token is known: the tokenizer and the configuration name none")
    as_target = sum(t in end for row in batch.targets for t in row)
    as_input = sum(i in end for row in batch.inputs for i in row)
    named = "/".join(map(str, sorted(end)))
    evidence = {"end_targets": as_target, "end_inputs": as_input, "rows": len(batch.inputs)}
    if as_target:
        return RuledOut(probe, f"The end token ({named}) is a target {as_target} times in this batch.", evidence)
    filled = not any(row[-1] == IGNORED for row in batch.targets) and batch.attended is None
    if filled and not as_input:
        return NotTestable(
            probe, "undecided", f"no row of the batch ends: all are full, without the end token ({named})"
        )
    where = f"it stands in the inputs {as_input} times, but masked in the targets" if as_input else "and in no input"
    claim = f"The end token ({named}) is never a target in {len(batch.inputs)} rows: {where}."
    remedy = (
        "Put the end token after each row and let it count; where the padding id is the end id, mask the padding by "
        "its place and not by its id, or the end is masked with it."
    )
    return Finding(probe, "contributing", claim, evidence, remedy)


def prompt_of(batch: TrainingBatch) -> Outcome:
    """What share of the positions is left out before the first target, which is how prompts are left out."""
    probe = "prompt_in_loss"
    if batch.targets is None:
        return NotTestable(probe, "no_data", "the batch has no targets")
    heads = [len(list(takewhile(lambda t: t == IGNORED, row))) for row in batch.targets]
    if not any(heads):
        return NotTestable(
            probe,
            "not_known",
            "every row counts from its first target on: which of it is prompt, a batch does not tell",
        )
    positions = sum(map(len, batch.targets))
    masked = wilson(sum(h > 0 for h in heads), len(heads))
    evidence = {
        "rows": len(heads),
        "rows_with_a_masked_head": sum(h > 0 for h in heads),
        "masked": sum(heads) / positions,
    }
    claim = (
        f"Prompts are left out of the loss: {sum(heads) / positions:.0%} of the positions stand before a first target, "
        f"in {masked.estimate:.0%} of the rows."
    )
    return RuledOut(probe, claim, evidence)


def boundary_of(batch: TrainingBatch, tokenizer: Tokenizer | None) -> Outcome:
    """Whether the text at the boundary of a masked prompt would be other tokens, encoded in one piece."""
    probe = "token_boundary"
    if tokenizer is None:
        return NotTestable(probe, "not_known", "without a tokenizer the ids can't be made text and ids again")
    split = list(_splits(batch))
    if not split:
        return NotTestable(probe, "not_known", "no prompt is told apart from its completion: none is masked")
    differing = 0
    for ids, first in split:
        try:
            whole = tokenizer.encode(tokenizer.decode(ids))
        except ValueError:
            return NotTestable(probe, "undecided", "the text of a row can't be encoded again")
        differing += list(whole[:first]) != list(ids[:first]) and list(whole[-1:]) == list(ids[-1:])
    evidence = {"rows": len(split), "rows_that_differ": differing}
    said = f"{differing} of {len(split)} rows are other tokens where prompt and completion are encoded as one text"
    if not differing:
        return RuledOut(probe, f"No token reaches across the boundary of prompt and completion: {said}.", evidence)
    remedy = "Encode prompts at scoring as they were here; a newline that merges with an indentation is the usual case."
    return Finding(
        probe, "note", f"A token reaches across the boundary of prompt and completion: {said}.", evidence, remedy
    )


def _splits(batch: TrainingBatch) -> Iterator[tuple[tuple[int, ...], int]]:
    """The ids of each row whose prompt is masked, without padding, and where its completion begins."""
    for ids, targets in zip(batch.rows(), batch.targets or (), strict=False):
        head = len(list(takewhile(lambda t: t == IGNORED, targets)))
        if 0 < head < len(ids):
            yield ids, head + batch.right_offset
