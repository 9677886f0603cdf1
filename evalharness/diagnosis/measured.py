"""What is measured of a subject during one examination: each thing once, when the first probe asks for it."""

from __future__ import annotations

from functools import cached_property, partial
from typing import TYPE_CHECKING

from evalharness.diagnosis.data.whole_texts import WholeTexts, read_whole
from evalharness.diagnosis.losses.conventions import recomputed
from evalharness.diagnosis.losses.established import Established, established, established_by_text
from evalharness.diagnosis.losses.parallel_passes import ParallelPasses
from evalharness.diagnosis.losses.token_losses import TokenLosses, token_losses
from evalharness.diagnosis.losses.whole_or_apart import apart_more_nats
from evalharness.diagnosis.trials.greedy_trials import completed_as_scored
from evalharness.diagnosis.trials.shortest_input import shortest_input
from evalharness.records import LEAK, RuledOut, is_proven_repair, leak_matters, leaks_when_evaluated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from evalharness.degeneration import CompletionText
    from evalharness.diagnosis.data.rows import TokenRow
    from evalharness.diagnosis.losses.arrangement import Arrangement
    from evalharness.diagnosis.losses.recomputed_loss import Recomputed
    from evalharness.diagnosis.subject import Split, Subject
    from evalharness.models.protocols import TorchModel
    from evalharness.progress.time_limit import TimeLimit
    from evalharness.records import Outcome, Problem


def _read(split: Split, problems: Sequence[Problem], others: Mapping[int, list[str]]) -> WholeTexts:
    return read_whole(split.texts(), problems, others)


class Measured:
    """One subject under examination. This is what the probes are given.

    ``outcomes`` are what the probes have said so far, those known before among them. ``say`` shows a line of progress.
    ``texts_of`` reads all texts of a split, with what is looked for in them: problems, drawn rows of another file.
    ``limit`` is the time that probes have, None without a limit.
    """

    def __init__(
        self,
        subject: Subject,
        outcomes: Iterable[Outcome] = (),
        say: Callable[[str], None] = lambda _: None,
        texts_of: Callable[[Split, Sequence[Problem], Mapping[int, list[str]]], WholeTexts] = _read,
        limit: TimeLimit | None = None,
    ) -> None:
        self.subject = subject
        self.say = say
        self.limit = limit
        self._texts_of = texts_of
        self.outcomes: list[Outcome] = list(outcomes)

    @property
    def leaks(self) -> bool:
        """Whether positions see the tokens after them as the model is evaluated, by what ``future_leak`` found."""
        return any(map(leaks_when_evaluated, self.outcomes))

    @property
    def leak_matters(self) -> bool:
        """Whether they do, and the loss is another one without them; a leak that nothing has learned to use is none."""
        return any(map(leak_matters, self.outcomes))

    @property
    def is_repaired(self) -> bool:
        """Whether a repair is proven to bring the logged loss back."""
        return any(map(is_proven_repair, self.outcomes))

    @property
    def is_causal(self) -> bool:
        """Whether the model was shown to see no token after a position."""
        return any(isinstance(outcome, RuledOut) and outcome.probe == LEAK for outcome in self.outcomes)

    @cached_property
    def passes(self) -> ParallelPasses:
        """The parallel losses of rows that stand alone; whoever asks for the same rows shares their passes."""
        return ParallelPasses(self.subject.torch_model, tuple(sorted(self.subject.end_ids)), self.is_causal)

    @cached_property
    def established(self) -> Established:
        """What the logged loss counts: established once, so that every probe measures under it.

        Rows are as they are read in a model that uses a leak: its loss is of another kind. Without a logged loss they
        are encoded as the model knows them better.
        """
        if self._model is None or self.leak_matters:
            return Established()
        if self.subject.logged is None:
            return established_by_text(apart_more_nats(self.subject, self.passes))
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

    def train_losses_in(self, arrangement: Arrangement, *, prompt: bool) -> TokenLosses:
        """The same in a given arrangement, with the prompt counted or not."""
        return self._losses(self._model, self.subject.train, Established(arrangement, prompt))

    @cached_property
    def losses_before(self) -> TokenLosses:
        """The same of the same validation rows in the model before this training; nothing without such a model."""
        return self._losses(self.subject.before, self.subject.validation or self.subject.train, self.established)

    @cached_property
    def train_losses_before(self) -> TokenLosses:
        """The same of the measured training rows."""
        return self._losses(self.subject.before, self.subject.train, self.established)

    @cached_property
    def conventions(self) -> tuple[Recomputed, ...]:
        """The validation loss under every convention that a training loop may have."""
        return recomputed(self.subject, self.losses_as_read, self.passes)

    @cached_property
    def as_scored(self) -> dict[str, CompletionText]:
        """Short greedy completions of the problems that can be asked, as scoring asks them, by task."""
        return completed_as_scored(self.subject)

    @cached_property
    def training_texts(self) -> WholeTexts:
        """What all texts of the training file say, of the validation rows as well; nothing without one."""
        return self._read(self.subject.train, self.validation_texts.drawn)

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

    def losses_of(self, rows: Sequence[TokenRow]) -> TokenLosses:
        """The parallel losses of rows as :meth:`rows` gives them. Raises EvaluationError where the model gives NaN."""
        return self._of_rows(rows, self.established)

    def losses_before_of(self, rows: Sequence[TokenRow]) -> TokenLosses:
        """The same in the model before this training; nothing without such a model."""
        before, how = self.subject.before, self.established
        if before is None:
            return ()
        return token_losses(before, rows, self.passes.end_ids, partial(how.arrangement.logits, before))

    def _read(self, split: Split | None, others: Mapping[int, list[str]] | None = None) -> WholeTexts:
        return WholeTexts() if split is None else self._texts_of(split, self.subject.problems, others or {})

    @property
    def _model(self) -> TorchModel | None:
        """The model if it gives logits: without them there are no losses by token."""
        return self.subject.torch_model if "full_logits" in self.subject.model.capabilities else None

    def _losses(self, model: TorchModel | None, split: Split | None, how: Established) -> TokenLosses:
        if model is None or split is None:
            return ()
        laid = how.rows(self.subject, split, split.measured)
        rows = [row for row in laid if len(row.ids) > self.shortest_input]
        if model is self._model:
            return self._of_rows(rows, how)
        return token_losses(model, rows, self.passes.end_ids, partial(how.arrangement.logits, model))

    def _of_rows(self, rows: Sequence[TokenRow], how: Established) -> TokenLosses:
        if how.arrangement.left is None:
            return self.passes.losses(rows)
        model = self.subject.torch_model
        return token_losses(model, rows, self.passes.end_ids, partial(how.arrangement.logits, model))
