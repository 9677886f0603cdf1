"""The measures that support what the loops say: runs, whitespace, entropy, and the ratio of repeated n-grams.

Only the completion is measured, never the prompt with it. Each measure says what it is for a sequence too short for it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from evalharness.degeneration.loops import as_symbols

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

Unit = Literal["token", "character"]
MAX_NGRAM = 4
_MAX_NAMES = 2**62


@dataclass(frozen=True, slots=True)
class Measures:
    """What was measured of one completion.

    ``unit`` is what the runs, the text's entropy and seq-rep count: tokens where ids were given, else characters. The
    predictive entropies are None where none were given. ``seq_rep`` is for n = 1 to 4.
    """

    unit: Unit
    longest_token_run: int
    longest_newline_run: int
    whitespace_share: float
    text_entropy_nats: float
    mean_predictive_entropy_nats: float | None
    min_predictive_entropy_nats: float | None
    seq_rep: tuple[float, float, float, float]


def measure(
    text: str, token_ids: Sequence[int] | None = None, token_entropy_nats: Sequence[float] | None = None
) -> Measures:
    """Return all measures of one completion, on its token ids where they are given and on its characters where not."""
    sequence: Sequence[int] | str = text if token_ids is None else token_ids
    entropies = token_entropy_nats if token_entropy_nats is not None and len(token_entropy_nats) else None
    return Measures(
        unit="character" if token_ids is None else "token",
        longest_token_run=longest_run(sequence),
        longest_newline_run=longest_newline_run(text),
        whitespace_share=whitespace_share(text),
        text_entropy_nats=text_entropy_nats(sequence),
        mean_predictive_entropy_nats=None if entropies is None else float(np.mean(entropies)),
        min_predictive_entropy_nats=None if entropies is None else float(np.min(entropies)),
        seq_rep=seq_rep(sequence),
    )


def longest_run(sequence: Sequence[int] | str) -> int:
    """Return the largest number of equal elements in a row; 0 for an empty sequence."""
    symbols = as_symbols(sequence)
    if not len(symbols):
        return 0
    edges = np.flatnonzero(np.diff(symbols)) + 1
    return int(np.diff(np.concatenate(([0], edges, [len(symbols)]))).max())


def longest_newline_run(text: str) -> int:
    r"""Return the largest number of line ends in a row; ``\r\n`` is one. Whitespace between two of them parts them."""
    lengths = (len(run.group().replace("\r\n", "\n")) for run in re.finditer(r"[\r\n]+", text))
    return max(lengths, default=0)


def whitespace_share(text: str) -> float:
    """Return the share of characters that are whitespace (Unicode's sense), from 0 to 1; 0 for an empty text."""
    return sum(len(run.group()) for run in re.finditer(r"\s+", text)) / len(text) if text else 0.0


def text_entropy_nats(sequence: Sequence[int] | str) -> float:
    """Return the Shannon entropy of the sequence's own elements in nats, ``-sum(f ln f)`` over their frequencies ``f``.

    The plug-in estimate (Shannon 1948, section 6): at most ``ln(length)``, 0 for one element repeated and for an empty
    sequence. It says nothing about order.
    """
    _, counts = np.unique(as_symbols(sequence), return_counts=True)
    frequencies = counts / max(1, counts.sum())
    return max(0.0, float(-(frequencies * np.log(frequencies)).sum()))


def seq_rep(sequence: Sequence[int] | str) -> tuple[float, float, float, float]:
    """Return seq-rep-n for n = 1 to 4: ``1 - |distinct n-grams| / |n-grams|`` of one sequence, from 0 to below 1.

    Welleck et al. 2020, "Neural Text Generation with Unlikelihood Training", section 6.1, equation 11 (there averaged
    over continuations). It is 0 where the sequence is shorter than n and has no n-grams.
    """
    distinct, ranks = np.unique(as_symbols(sequence), return_inverse=True)
    named = np.zeros(len(ranks), dtype=np.int64)
    names = 1
    ratios = []
    for n in range(1, MAX_NGRAM + 1):
        if names * len(distinct) > _MAX_NAMES:
            named = np.unique(named, return_inverse=True)[1]
            names = len(named)
        # An n-gram is named by the name of its first n - 1 elements and the rank of its last: exact, no hash.
        named = named[: max(0, len(ranks) - n + 1)] * len(distinct) + ranks[n - 1 :]
        names *= len(distinct)
        ratios.append(1.0 - _distinct(named) / len(named) if len(named) else 0.0)
    return (ratios[0], ratios[1], ratios[2], ratios[3])


def _distinct(values: npt.NDArray[np.int64]) -> int:
    return int(np.count_nonzero(np.diff(np.sort(values)))) + 1
