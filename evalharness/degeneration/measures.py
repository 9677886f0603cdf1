"""The measures that support what the loops say: runs, whitespace, entropy, and the ratio of repeated n-grams.

Only the completion is measured, never the prompt with it. Each measure says what it is for a sequence too short for it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from evalharness.degeneration.batches import as_symbols, longest_runs, seq_reps
from evalharness.degeneration.completion_text import CompletionText
from evalharness.degeneration.ratios import Ratios, ratios_of_all

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

Unit = Literal["token", "character"]


@dataclass(frozen=True, slots=True)
class Predictions:
    """How sure the model was of its next token, in nats, along one completion.

    ``trend_nats_per_token`` is the slope of the least-squares line through all positions, None below two tokens.
    ``before_loop_nats`` and ``in_loop_nats`` are the means outside and inside the loop, None where there is no loop or
    nothing stands before it: does the entropy fall as the loop takes hold?
    """

    mean_nats: float
    min_nats: float
    trend_nats_per_token: float | None
    before_loop_nats: float | None
    in_loop_nats: float | None


@dataclass(frozen=True, slots=True)
class Measures:
    """What was measured of one completion.

    ``unit`` is what the runs, the text's entropy and seq-rep count: tokens where ids were given, else characters.
    ``ratios`` are those of the text. ``predictions`` is None where no entropies were given. ``seq_rep`` is for n = 1
    to 4 (Welleck et al. 2020).
    """

    unit: Unit
    longest_token_run: int
    longest_newline_run: int
    whitespace_share: float
    text_entropy_nats: float
    seq_rep: tuple[float, float, float, float]
    ratios: Ratios
    predictions: Predictions | None


def measure(
    text: str,
    token_ids: Sequence[int] | None = None,
    token_entropy_nats: Sequence[float] | None = None,
    loop_tokens: tuple[int, int] | None = None,
) -> Measures:
    """Return all measures of one completion, on its token ids where they are given and on its characters where not.

    ``loop_tokens`` are the first token of its loop and the one after its last.
    """
    return measure_all([CompletionText(text, token_ids, token_entropy_nats)], [loop_tokens])[0]


def measure_all(completions: Sequence[CompletionText], loop_tokens: Sequence[tuple[int, int] | None]) -> list[Measures]:
    """Return what :func:`measure` says of each of ``completions``, faster than one by one."""
    sequences = [written.text if written.token_ids is None else written.token_ids for written in completions]
    return [
        Measures(
            unit="character" if written.token_ids is None else "token",
            longest_token_run=run,
            longest_newline_run=longest_newline_run(written.text),
            whitespace_share=whitespace_share(written.text),
            text_entropy_nats=text_entropy_nats(sequence),
            seq_rep=repeated,
            ratios=of_text,
            predictions=predictions(() if written.token_entropy_nats is None else written.token_entropy_nats, loop),
        )
        for written, sequence, run, repeated, of_text, loop in zip(
            completions,
            sequences,
            longest_runs(sequences),
            seq_reps(sequences),
            ratios_of_all([written.text for written in completions]),
            loop_tokens,
            strict=True,
        )
    ]


def predictions(entropies_nats: Sequence[float], loop_tokens: tuple[int, int] | None = None) -> Predictions | None:
    """Summarise the entropies of a model's predictions, one a token; None without any."""
    values = np.asarray(entropies_nats, dtype=np.float64)
    if not len(values):
        return None
    first, end = loop_tokens or (0, 0)
    before, inside = values[:first], values[first:end]
    return Predictions(
        mean_nats=float(values.mean()),
        min_nats=float(values.min()),
        trend_nats_per_token=_slope(values),
        before_loop_nats=float(before.mean()) if len(before) else None,
        in_loop_nats=float(inside.mean()) if len(inside) else None,
    )


def _slope(values: npt.NDArray[np.float64]) -> float | None:
    if len(values) < 2:
        return None
    positions = np.arange(len(values)) - (len(values) - 1) / 2
    return float(positions @ values / (positions @ positions))


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
