"""What a diagnosis is about: one checkpoint, its data, its log, and what it was seen to write.

Everything but the model and its tokenizer may be missing; a probe says in the catalogue what it needs. What is
expensive and asked for by several probes is measured once, when the first of them asks.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from evalharness.diagnosis.data.rows import measured_rows
from evalharness.diagnosis.losses.conventions import Recomputed, recomputed
from evalharness.diagnosis.losses.token_losses import TokenLosses, token_losses

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from evalharness.degeneration import Degeneration
    from evalharness.diagnosis.data.rows import DataRow, TokenRow
    from evalharness.models.protocols import AdapterFacts, Tokenizer, TorchModel
    from evalharness.records import CheckpointVerdict, Completion, LossPoint, Outcome, Problem

Need = Literal["train", "validation", "problems", "log", "logged", "adapter", "base", "observed", "generate"]
"""What a probe may need. ``logged`` is a validation loss that was logged for this very checkpoint."""


@dataclass(frozen=True, slots=True)
class Split:
    """Rows of training or of validation: as text, and as the ids that training saw, cut to the context.

    ``encoded`` leaves out rows without a target; ``encoded[i].row`` is the index of its text in ``rows``. ``source`` is
    the file's name.
    """

    rows: tuple[DataRow, ...]
    encoded: tuple[TokenRow, ...]
    source: str


@dataclass(frozen=True, slots=True)
class Observed:
    """One completion with its problem and what is wrong with it; ``passed`` is None where it was not run."""

    problem: Problem
    completion: Completion
    analysis: Degeneration
    passed: bool | None = None


@dataclass(frozen=True, slots=True)
class Declared:
    """What the user says that the training loop did, never taken on trust; None is "not said"."""

    label_smoothing: float | None = None
    count_prompt: bool | None = None
    count_padding: bool | None = None


@dataclass(frozen=True)
class Subject:
    """One checkpoint under diagnosis. Nothing here is changed by a probe.

    ``without_adapter`` is the same model with its adapter switched off, ``base`` another model to compare with (the
    first step, or what an adapter was merged into). ``generate`` completes prompts greedily: ids of prompts and a
    number of new tokens in, ids of completions out. ``logged`` is the logged validation loss of this step. ``verdict``
    is that on ``observed``. ``adapter`` holds what is known of the adapter's tensors. ``leaks`` is set by the
    examination once ``future_leak`` has found that positions see the future, ``outcomes`` to what the other probes
    said for one that is asked last.
    """

    model: TorchModel
    tokenizer: Tokenizer
    begin_ids: tuple[int, ...] = ()
    end_ids: frozenset[int] = frozenset()
    held_out_ids: tuple[int, ...] = ()
    prompt_template: str = "{prompt}"
    train: Split | None = None
    validation: Split | None = None
    problems: tuple[Problem, ...] = ()
    log: tuple[LossPoint, ...] = ()
    logged: LossPoint | None = None
    declared: Declared = field(default_factory=Declared)
    without_adapter: TorchModel | None = None
    base: TorchModel | None = None
    observed: tuple[Observed, ...] = ()
    verdict: CheckpointVerdict | None = None
    adapter: AdapterFacts | None = None
    leaks: bool = False
    generate: Callable[[Sequence[Sequence[int]], int], list[tuple[int, ...]]] | None = None
    seed: int = 0
    outcomes: tuple[Outcome, ...] = ()

    def has(self, need: Need) -> bool:
        """Whether what a probe needs is here."""
        if need == "adapter":
            return self.without_adapter is not None or self.adapter is not None
        held = getattr(self, need)
        if isinstance(held, Split):
            return bool(held.encoded)
        return bool(held) if isinstance(held, tuple) else held is not None

    @property
    def before(self) -> TorchModel | None:
        """The model before this training, where there is one: the adapter switched off, or the base."""
        return self.base if self.without_adapter is None else self.without_adapter

    @cached_property
    def validation_losses(self) -> TokenLosses:
        """The parallel loss of each target of the measured validation rows (of the training rows without any)."""
        return self._losses(self.model, self.validation or self.train)

    @cached_property
    def train_losses(self) -> TokenLosses:
        """The same of the measured training rows."""
        return self._losses(self.model, self.train)

    @cached_property
    def losses_before(self) -> TokenLosses:
        """The same of the same validation rows in the model before this training; nothing where there is none."""
        return self._losses(self.before, self.validation or self.train)

    @cached_property
    def conventions(self) -> tuple[Recomputed, ...]:
        """The validation loss under every convention that a training loop may have."""
        return recomputed(self)

    def _losses(self, model: TorchModel | None, split: Split | None) -> TokenLosses:
        rows = () if split is None else split.encoded
        return () if model is None else token_losses(model, measured_rows(rows), tuple(sorted(self.end_ids)))
