"""Models that know frequencies and nothing else, to compare a trained one with."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from evalharness.diagnosis.losses.row_means import counted_nll, mean, too_few

if TYPE_CHECKING:
    from collections.abc import Iterable

    from evalharness.diagnosis.data.rows import TokenRow
    from evalharness.diagnosis.losses.row_means import Floats
    from evalharness.diagnosis.measured import Measured

AT_RANDOM = 0.97
"""The loss of a model that knows nothing is the logarithm of the vocabulary, or more if it is drawn widely; the least
training, of how often each token stands, brings it far below."""
FITTED_TOKENS = 1_000_000
"""Counting this many tokens takes about a second; more make a bigram of small data hardly better."""


@dataclass(slots=True)
class _Counts:
    of: Counter[int] = field(default_factory=Counter)
    total: int = 0

    def add(self, token_id: int) -> None:
        self.of[token_id] += 1
        self.total += 1

    def share(self, token_id: int, shorter: float) -> float:
        """Witten and Bell (1991): contexts that many kinds followed leave more to the shorter context."""
        kinds = len(self.of)
        return (self.of[token_id] + kinds * shorter) / (self.total + kinds) if kinds else shorter


class Frequencies:
    """How often each token stood as a target, alone and after each other one.

    Probabilities are interpolated after Witten and Bell, in the form of Chen and Goodman (1998, section 2.6), down to
    all ids of the vocabulary alike. Nothing has to be tuned, so nothing has to be held out.
    """

    def __init__(self, rows: Iterable[TokenRow], vocabulary: int) -> None:
        self.vocabulary = vocabulary
        self._alone = _Counts()
        self._after: defaultdict[int, _Counts] = defaultdict(_Counts)
        for row in rows:
            for t in range(row.first_target, len(row.ids)):
                self._alone.add(row.ids[t])
                self._after[row.ids[t - 1]].add(row.ids[t])
            if self._alone.total >= FITTED_TOKENS:
                break

    def unigram(self, token_id: int) -> float:
        """The probability of a token by its frequency."""
        return self._alone.share(token_id, 1 / self.vocabulary)

    def bigram(self, before: int, token_id: int) -> float:
        """The probability of a token after another one."""
        shorter = self.unigram(token_id)
        return self._after[before].share(token_id, shorter) if before in self._after else shorter

    def unigram_losses(self, row: TokenRow) -> Floats:
        """The losses (nats) of the row's own targets by frequency alone."""
        return -np.log([self.unigram(token_id) for token_id in row.ids[row.first_target :]])

    def bigram_losses(self, row: TokenRow) -> Floats:
        """The losses (nats) of the row's own targets by frequency after the token before."""
        return -np.log([self.bigram(row.ids[t - 1], row.ids[t]) for t in range(row.first_target, len(row.ids))])


def fair_frequencies(measured: Measured) -> tuple[Frequencies, slice]:
    """Frequencies, and which of ``measured.validation_losses`` they may be scored on: those they were not fitted on.

    Fitted on the training rows. Where there is one split alone, on its rows that aren't measured; where all are, on
    every second row, and scored on the others.
    """
    subject = measured.subject
    scored = subject.validation or subject.train
    vocabulary = subject.torch_model.vocabulary_rows
    if subject.train is not None and subject.validation is not None:
        return Frequencies(measured.rows(subject.train), vocabulary), slice(None)
    chosen = [losses.row for losses in measured.validation_losses]
    places = {(row.row, row.ids) for row in chosen}
    rest = [] if scored is None else [row for row in measured.rows(scored) if (row.row, row.ids) not in places]
    if len(rest) >= len(chosen):
        return Frequencies(rest, vocabulary), slice(None)
    return Frequencies(chosen[::2], vocabulary), slice(1, None, 2)


def knows_its_rows(measured: Measured) -> bool | None:
    """Whether the model is better at the rows than the frequency of tokens is, for certain.

    None with too few rows, or if the model gives no logits.
    """
    if too_few(measured.validation_losses):
        return None
    frequencies, scored = fair_frequencies(measured)
    losses = measured.validation_losses[scored]
    if too_few(losses):
        return None
    gains = [frequencies.unigram_losses(row.row) - counted_nll(row) for row in losses]
    return mean(gains, measured.subject.seed).low > 0
