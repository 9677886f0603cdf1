"""One batch of ids and targets, as a training loop sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise, takewhile
from typing import TYPE_CHECKING, Any

from evalharness.diagnosis.data.trainer_tokens import TrainerTokens
from evalharness.errors import EvalHarnessError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

IGNORED = -100
"""The target that the losses of torch and Hugging Face leave out."""
_MARKS_OF_TARGETS = ("completion_mask", "assistant_masks")
_ENDS_OF_KEYS = ("_input_ids", "_ids")
"""What TRL's keys of prompt, chosen and rejected ids end in, older and newer."""
_NOT_ANSWERS = frozenset({"prompt", "position", "token_type"})


@dataclass(frozen=True, slots=True)
class BatchText:
    """One text of a batch without padding: its ids, and its targets by position; no targets where the batch has none.

    ``masked_head`` is how many positions come before its first target: that is how prompts are left out of a loss.
    """

    ids: tuple[int, ...]
    targets: tuple[int, ...]
    masked_head: int


@dataclass(frozen=True, slots=True)
class TrainingBatch:
    """Rows of input ids and of targets, equal in shape; ``targets`` is None where the batch has none.

    ``attended`` says by position what the attention mask leaves in. ``shifts_itself``: the model compares the logits at
    a position with the target at the next one, as Hugging Face's ``labels`` want it, so that targets equal inputs.
    ``positions`` are the position ids that the trainer gives, None where it leaves them to the model. ``tokens`` is
    what a tokenizer and a configuration say of the ids.
    """

    inputs: tuple[tuple[int, ...], ...]
    targets: tuple[tuple[int, ...], ...] | None
    attended: tuple[tuple[bool, ...], ...] | None
    shifts_itself: bool
    positions: tuple[tuple[int, ...], ...] | None = None
    tokens: TrainerTokens = field(default_factory=TrainerTokens)

    @property
    def right_offset(self) -> int:
        """Where, from its input, the id is that a target should be."""
        return 0 if self.shifts_itself else 1

    @property
    def texts(self) -> tuple[BatchText, ...]:
        """The texts of all rows. A row is one text, unless position ids begin anew in it."""
        rows, targets = self.rows(), self.attended_of(self.targets or self.inputs)
        positions = None if self.positions is None else self.attended_of(self.positions)
        return tuple(
            self._text(ids[begin:end], counted[begin:end] if self.targets else ())
            for number, (ids, counted) in enumerate(zip(rows, targets, strict=True))
            for begin, end in pairwise(_bounds(len(ids), () if positions is None else positions[number]))
        )

    def _text(self, ids: tuple[int, ...], targets: tuple[int, ...]) -> BatchText:
        head = len(list(takewhile(lambda target: target == IGNORED, targets)))
        # If the model shifts the targets itself, the first position has none in any text.
        return BatchText(ids, targets, 0 if self.shifts_itself and head == 1 else head)

    def rows(self) -> tuple[tuple[int, ...], ...]:
        """The inputs without what the attention mask leaves out."""
        return self.attended_of(self.inputs)

    def attended_of(self, values: tuple[tuple[int, ...], ...]) -> tuple[tuple[int, ...], ...]:
        """Of values by position (inputs, targets), those of the positions that the attention mask leaves in."""
        if self.attended is None:
            return values
        kept = zip(values, self.attended, strict=True)
        return tuple(tuple(i for i, seen in zip(ids, mask, strict=True) if seen) for ids, mask in kept)


def _bounds(length: int, positions: Sequence[int]) -> list[int]:
    """Where texts begin in a row, by position ids of 0, and where the last one ends."""
    return [0, *(t for t in range(1, length) if positions and positions[t] == 0), length]


def read_batch(given: Any) -> TrainingBatch:
    """Understand a batch: a pair of inputs and targets, ids alone, or a mapping with ``input_ids`` and ``labels``.

    Tensors or lists of shape ``(rows, length)``. Pairs of preferences, as DPO has them, are read as rows whose
    completions count. Raises :class:`EvalHarnessError` for anything else.
    """
    if isinstance(given, Mapping) or hasattr(given, "keys"):
        return _checked(_of_mapping(given) if "input_ids" in given else _of_preferences(given))
    if isinstance(given, (tuple, list)) and len(given) == 2 and hasattr(given[0], "shape"):
        return _checked(TrainingBatch(_ids(given[0]), _ids(given[1]), None, shifts_itself=False))
    if hasattr(given, "shape"):
        return _checked(TrainingBatch(_ids(given), None, None, shifts_itself=False))
    kind = type(given).__name__
    raise EvalHarnessError(f"a batch that is a {kind}: expected (inputs, targets) or a mapping with input_ids, labels")


def _of_mapping(given: Any) -> TrainingBatch:
    """``completion_mask`` and ``assistant_masks`` mark what counts where there are no labels, as in TRL's data."""
    inputs, labels, mask = _ids(given["input_ids"]), given.get("labels"), _mask(given, "attention_mask")
    marks = [found for name in _MARKS_OF_TARGETS if (found := _mask(given, name)) is not None]
    positions = given.get("position_ids")
    targets = None if labels is None else _ids(labels)
    if targets is None and marks:
        targets = inputs
        for mark in marks:
            targets = tuple(_left_out(ids, count) for ids, count in zip(targets, mark, strict=True))
    return TrainingBatch(
        inputs, targets, mask, shifts_itself=True, positions=None if positions is None else _ids(positions)
    )


def _of_preferences(given: Any) -> TrainingBatch:
    """``chosen_input_ids`` and ``rejected_input_ids``, each after ``prompt_input_ids`` if the prompt stands apart.

    Newer keys are ``chosen_ids`` and the like; a completion alone is ``completion_ids``.
    """
    end = next((end for end in _ENDS_OF_KEYS if any(str(key).endswith(end) for key in given)), "")
    names = [str(key).removesuffix(end) for key in given if end and str(key).endswith(end)]
    answers = [name for name in names if name not in _NOT_ANSWERS]
    if not answers:
        raise EvalHarnessError(f"a batch with the keys {', '.join(map(str, given))}: expected input_ids and labels")
    rows: list[tuple[tuple[int, ...], tuple[int, ...]]] = []
    prompts = _present(given, "prompt", end) if "prompt" in names else None
    for name in answers:
        ids = _present(given, name, end)
        labels = _present(given, name, "_labels") if f"{name}_labels" in given else ids
        heads = prompts or ((),) * len(ids)
        for head, row, counted in zip(heads, ids, labels, strict=True):
            rows.append(((*head, *row), (*(IGNORED for _ in head), *counted)))
    return TrainingBatch(tuple(ids for ids, _ in rows), tuple(t for _, t in rows), None, shifts_itself=True)


def _present(given: Any, name: str, end: str) -> tuple[tuple[int, ...], ...]:
    """One part of a batch of preferences, without what its own attention mask leaves out."""
    values, mask = _ids(given[f"{name}{end}"]), _mask(given, f"{name}_attention_mask")
    return TrainingBatch(values, None, mask, shifts_itself=True).attended_of(values)


def _mask(given: Any, name: str) -> tuple[tuple[bool, ...], ...] | None:
    """None where there is none, or where it is no mask of positions (a causal one has more dimensions)."""
    mask = given.get(name)
    if mask is None or getattr(mask, "ndim", 2) != 2:
        return None
    return tuple(tuple(map(bool, row)) for row in (mask.tolist() if hasattr(mask, "tolist") else mask))


def _left_out(ids: tuple[int, ...], counted: tuple[bool, ...]) -> tuple[int, ...]:
    return tuple(i if counts else IGNORED for i, counts in zip(ids, counted, strict=True))


def _ids(tensor: torch.Tensor | Sequence[Sequence[int]]) -> tuple[tuple[int, ...], ...]:
    listed = tensor.tolist() if hasattr(tensor, "tolist") else tensor
    if not listed or not all(isinstance(row, (list, tuple)) and row and isinstance(row[0], int) for row in listed):
        shape = tuple(getattr(tensor, "shape", ())) or f"a {type(tensor).__name__}"
        raise EvalHarnessError(f"a batch with {shape} for ids: expected whole numbers of shape (rows, length)")
    return tuple(tuple(row) for row in listed)


def _checked(batch: TrainingBatch) -> TrainingBatch:
    for name, other in (
        ("targets", batch.targets),
        ("attention mask", batch.attended),
        ("position ids", batch.positions),
    ):
        if other is not None and [len(row) for row in other] != [len(row) for row in batch.inputs]:
            raise EvalHarnessError(f"a batch whose inputs and {name} differ in shape")
    return batch
