"""What is measured of a subject during one examination: each thing once, when the first probe asks for it."""

from __future__ import annotations

from functools import cached_property, partial
from typing import TYPE_CHECKING

from evalharness.diagnosis.data.rows import measured_rows
from evalharness.diagnosis.data.whole_texts import WholeTexts, read_whole
from evalharness.diagnosis.losses.conventions import Recomputed, recomputed
from evalharness.diagnosis.losses.established import Established, established
from evalharness.diagnosis.losses.token_losses import TokenLosses, token_losses
from evalharness.diagnosis.trials.shortest_input import shortest_input
from evalharness.records import is_proven_repair, leaks_when_evaluated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from evalharness.diagnosis.data.rows import TokenRow
    from evalharness.diagnosis.subject import Split, Subject
    from evalharness.models.protocols import TorchModel
    from evalharness.records import Outcome


class Measured:
    """One subject under examination. This is what the probes are given.

    ``outcomes`` are what the probes have said so far, those known before among them. ``say`` shows a line of progress.
    """

    def __init__(
        self, subject: Subject, outcomes: Iterable[Outcome] = (), say: Callable[[str], None] = lambda _: None
    ) -> None:
        self.subject = subject
        self.say = say
        self.outcomes: list[Outcome] = list(outcomes)

    @property
    def leaks(self) -> bool:
        """Whether positions see the tokens after them as the model is evaluated, by what ``future_leak`` found."""
        return any(map(leaks_when_evaluated, self.outcomes))

    @property
    def is_repaired(self) -> bool:
        """Whether a repair is proven to bring the logged loss back."""
        return any(map(is_proven_repair, self.outcomes))

    @cached_property
    def established(self) -> Established:
        """What the logged loss counts: established once, so that every probe measures under it.

        Rows are as they are read without a logged loss, and in a model that leaks: its loss is of another kind.
        """
        if self.subject.logged is None or self._model is None or self.leaks:
            return Established()
        return established(self.subject, self.conventions)

    @cached_property
    def losses_as_read(self) -> TokenLosses:
        """The parallel loss of each target of the measured validation rows as the manifest has them read."""
        return self._losses(self._model, self.subject.validation or self.subject.train, Established())

    @cached_property
    def validation_losses(self) -> TokenLosses:
        """The parallel loss of each target of the measured validation rows (of the training rows without any).

        Rows and targets are those that the logged loss counts, as far as that is established.
        """
        if self.established.is_as_read:
            return self.losses_as_read
        return self._losses(self._model, self.subject.validation or self.subject.train, self.established)

    @cached_property
    def train_losses(self) -> TokenLosses:
        """The same of the measured training rows."""
        return self._losses(self._model, self.subject.train, self.established)

    @cached_property
    def losses_before(self) -> TokenLosses:
        """The same of the same validation rows in the model before this training; nothing without such a model."""
        return self._losses(self.subject.before, self.subject.validation or self.subject.train, self.established)

    @cached_property
    def conventions(self) -> tuple[Recomputed, ...]:
        """The validation loss under every convention that a training loop may have."""
        return recomputed(self.subject, self.losses_as_read)

    @cached_property
    def training_texts(self) -> WholeTexts:
        """What all texts of the training file say; nothing without one."""
        return self._read(self.subject.train)

    @cached_property
    def validation_texts(self) -> WholeTexts:
        """The same of the validation file."""
        return self._read(self.subject.validation)

    @cached_property
    def shortest_input(self) -> int:
        """How many ids the model needs at least to give logits."""
        split = self.subject.validation or self.subject.train
        row = max(split.encoded, key=lambda row: len(row.ids), default=None) if split is not None else None
        return 1 if row is None or self._model is None else shortest_input(self._model, row.ids)

    def rows(self, split: Split) -> Iterator[TokenRow]:
        """All rows of a split as they were trained on, as far as that is established."""
        return self.established.rows(self.subject, split, split.encoded)

    def _read(self, split: Split | None) -> WholeTexts:
        return WholeTexts() if split is None else read_whole(split.texts(), self.subject.problems)

    @property
    def _model(self) -> TorchModel | None:
        """The model if it gives logits: without them there are no losses by token."""
        return self.subject.torch_model if "full_logits" in self.subject.model.capabilities else None

    def _losses(self, model: TorchModel | None, split: Split | None, how: Established) -> TokenLosses:
        if model is None or split is None:
            return ()
        laid = how.rows(self.subject, split, measured_rows(split.encoded))
        rows = [row for row in laid if len(row.ids) > self.shortest_input]
        return token_losses(model, rows, tuple(sorted(self.subject.end_ids)), partial(how.arrangement.logits, model))
