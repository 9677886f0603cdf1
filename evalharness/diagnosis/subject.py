"""What a diagnosis is about, as plain data: one checkpoint, its data, its log, and what it was seen to write.

Everything but the model and its tokenizer may be missing; a probe says what it needs. What is measured of a subject is
in :mod:`evalharness.diagnosis.measured`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, cast

from evalharness.diagnosis.data.no_tokenizer import NoTokenizer
from evalharness.diagnosis.data.rows import measured_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from evalharness.degeneration import Degeneration
    from evalharness.diagnosis.data.rows import DataRow, TokenRow
    from evalharness.diagnosis.data.training_batch import TrainingBatch
    from evalharness.models.protocols import AdapterFacts, Model, Scorer, Tokenizer, TorchModel, WeightSet
    from evalharness.records import CheckpointVerdict, Completion, FormatComparison, LearningRate, LossPoint, Problem

Need = Literal[
    "train",
    "validation",
    "problems",
    "log",
    "logged",
    "adapter",
    "base",
    "observed",
    "generate",
    "own_generate",
    "batch",
    "targets",
    "tokenizer",
]
"""What a probe may need. ``logged`` is a validation loss that was logged for this very checkpoint, and ``targets`` are
those of a training batch."""


@dataclass(frozen=True, slots=True)
class Split:
    """Rows of training or of validation: as text, and as the ids that training saw, cut to the context.

    ``encoded`` leaves out rows without a target; ``encoded[i].row`` is the index of its text in ``rows``. ``source`` is
    the file's name. Of a large file ``rows`` are drawn; ``every_text`` then reads the texts of all of them, as often as
    it is called. ``not_kept`` rows of the data are in no file, so that what is not found may be in these. ``file`` is
    where the texts are from, if they are the same whatever the tokenizer. ``most_measured`` bounds :attr:`measured`.
    """

    rows: tuple[DataRow, ...]
    encoded: tuple[TokenRow, ...]
    source: str
    every_text: Callable[[], Iterable[str]] | None = None
    not_kept: int = 0
    file: Path | None = None
    most_measured: int | None = None

    @property
    def is_running_text(self) -> bool:
        """Whether the rows are stretches of longer texts, which training may have cut anywhere."""
        return bool(self.rows) and all(row.running for row in self.rows)

    @property
    def measured(self) -> tuple[TokenRow, ...]:
        """The rows that losses are measured on: all, or a number spread evenly over them."""
        return measured_rows(self.encoded, self.most_measured)

    def texts(self) -> Iterable[str]:
        """The text of every row, prompt and completion together: of all of the file, however large it is."""
        return (row.prompt + row.completion for row in self.rows) if self.every_text is None else self.every_text()


@dataclass(frozen=True, slots=True)
class Observed:
    """One completion with its problem and what is wrong with it; ``passed`` is None if it was not run."""

    problem: Problem
    completion: Completion
    analysis: Degeneration
    passed: bool | None = None


@dataclass(frozen=True, slots=True)
class PromptWay:
    """Another way to ask than that of the score: the text around a prompt, and the ids that go with it."""

    template: str
    begin_ids: tuple[int, ...]
    end_ids: frozenset[int]


@dataclass(frozen=True, slots=True)
class Declared:
    """What the user says that the training loop did, never taken on trust; None is "not said"."""

    label_smoothing: float | None = None
    count_prompt: bool | None = None
    count_padding: bool | None = None


@dataclass(frozen=True, slots=True)
class Subject:
    """One checkpoint under diagnosis.

    ``without_adapter`` is the same model with its adapter switched off, ``base`` another model to compare with (the
    first step, or what an adapter was merged into). ``generate`` completes prompts greedily: ids of prompts and a
    number of new tokens in, ids of completions out. ``own_generate`` is the user's own function for one prompt.
    ``logged`` is the logged validation loss of this step. ``verdict`` is that on ``observed``. ``adapter`` holds what
    is known of the adapter's tensors, ``other_weights`` what else could be loaded in place of the weights. ``batch`` is
    one batch of the training loop, before training. ``other_way`` is how a model with a chat template could be asked as
    well, and ``formats`` how many problems it passed in both ways, where they were run. ``built_by_library``: the code
    of the model is that of a library, such as transformers, and not the user's own. ``learning_rates`` are those that
    were logged, in the order of their steps. ``log`` ends with this checkpoint, ``later`` is what was logged after it.
    """

    model: Model
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
    generate: Callable[[Sequence[Sequence[int]], int], list[tuple[int, ...]]] | None = None
    own_generate: Callable[[Sequence[int], int], tuple[int, ...]] | None = None
    other_weights: tuple[WeightSet, ...] = ()
    seed: int = 0
    batch: TrainingBatch | None = None
    other_way: PromptWay | None = None
    formats: FormatComparison | None = None
    built_by_library: bool = False
    learning_rates: tuple[LearningRate, ...] = ()
    later: tuple[LossPoint, ...] = ()

    def asked_otherwise(self, way: PromptWay) -> Subject:
        """The same subject, asked in another way."""
        return replace(self, prompt_template=way.template, begin_ids=way.begin_ids, end_ids=way.end_ids)

    def has(self, need: Need) -> bool:
        """Whether what a probe needs is here."""
        if need == "adapter":
            return self.without_adapter is not None or self.adapter is not None
        if need == "tokenizer":
            return not isinstance(self.tokenizer, NoTokenizer)
        if need == "targets":
            return self.batch is not None and self.batch.targets is not None
        value = getattr(self, need)
        if isinstance(value, Split):
            return bool(value.encoded)
        return bool(value) if isinstance(value, tuple) else value is not None

    @property
    def torch_model(self) -> TorchModel:
        """The model, for a probe that says that it needs ``full_logits``. Raises ``LookupError`` without them."""
        if "full_logits" not in self.model.capabilities:
            raise LookupError("this model gives no logits, and the probe did not say that it needs them")
        return cast("TorchModel", self.model)

    @property
    def scorer(self) -> Scorer:
        """The model, for a probe that has looked for ``prompt_logprobs``. Raises ``LookupError`` without them."""
        if "prompt_logprobs" not in self.model.capabilities:
            raise LookupError("this model gives no log-probabilities of given tokens")
        return cast("Scorer", self.model)

    @property
    def training_batch(self) -> TrainingBatch:
        """The batch, for a probe that says that it needs one. Raises ``LookupError`` without one."""
        if self.batch is None:
            raise LookupError("there is no batch, and the probe did not say that it needs one")
        return self.batch

    @property
    def rows_not_kept(self) -> int:
        """How many rows of training and of validation are in no file."""
        return sum(split.not_kept for split in (self.train, self.validation) if split is not None)

    @property
    def before(self) -> TorchModel | None:
        """The model before this training, if there is one: the adapter switched off, or the base."""
        return self.base if self.without_adapter is None else self.without_adapter
