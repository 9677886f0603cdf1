"""One batch of ids and targets, as a training loop sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from evalharness.errors import EvalHarnessError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

IGNORED = -100
"""The target that the losses of torch and Hugging Face leave out."""


@dataclass(frozen=True, slots=True)
class TrainingBatch:
    """Rows of input ids and of targets, equal in shape; ``targets`` is None where the batch has none.

    ``attended`` says by position what the attention mask leaves in. ``shifts_itself``: the model compares the logits at
    a position with the target at the next one, as Hugging Face's ``labels`` want it, so that targets equal inputs.
    ``padding_ids`` are those that a tokenizer or a configuration names.
    """

    inputs: tuple[tuple[int, ...], ...]
    targets: tuple[tuple[int, ...], ...] | None
    attended: tuple[tuple[bool, ...], ...] | None
    shifts_itself: bool
    padding_ids: frozenset[int] = frozenset()

    @property
    def right_offset(self) -> int:
        """Where, from its input, the id is that a target should be."""
        return 0 if self.shifts_itself else 1

    @property
    def masked_heads(self) -> list[int]:
        """How many positions of each row come before its first target: that is how prompts are left out of a loss."""
        return [len(list(takewhile(lambda target: target == IGNORED, row))) for row in self.targets or ()]

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
