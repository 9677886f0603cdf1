"""The ratios of the literature, on a completion's text with its whitespace.

None of them decides anything here: forty sound functions of one shape repeat as many n-grams as a loop does. They
support what the loops say, and let results be compared with those of others. The elements are words, signs, runs of
blanks, and line ends; together they are the text again. An empty text has all ratios 0.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from evalharness.degeneration.batches import Symbols, ngram_names, seq_reps
from evalharness.degeneration.lexemes import ELEMENT

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Ratios:
    """Of one text, each from 0 to 1 but for the compression.

    ``seq_rep``, n = 1 to 4: ``1 - |distinct n-grams| / |n-grams|`` (Welleck et al. 2020, equation 11); distinct-n of
    Li et al. 2016 is 1 minus it, and rep-n of arXiv 2504.12608 is 100 times it.
    ``diversity``: the product of ``1 - seq_rep`` over n = 2 to 4 (Su et al. 2022, section 4.2).
    ``compression``: bytes in UTF-8 for each byte that zlib makes of them, as Whisper decides with 2.4 (Radford et al.
    2022, section 4.5); Shaib et al. 2024 use the same ratio of a whole corpus.
    ``repeated_lines``: share of the lines that stood before, blank ones among them (Gopher's duplicate lines, Rae et
    al. 2021, table A1; rep-line of arXiv 2504.12608 is 100 times it), and ``repeated_line_characters``: the share of
    all characters that is in those lines.
    ``top_ngram_characters``, n = 2 to 4: share of the characters that lie in the commonest n-gram (Rae et al. 2021,
    table A1), each counted once where copies overlap; of equally common ones it is the one whose first element appears
    first.
    """

    seq_rep: tuple[float, float, float, float]
    diversity: float
    compression: float
    repeated_lines: float
    repeated_line_characters: float
    top_ngram_characters: tuple[float, float, float]


def ratios(text: str) -> Ratios:
    """Return all ratios of ``text``."""
    return ratios_of_all([text])[0]


def ratios_of_all(texts: Sequence[str]) -> list[Ratios]:
    """Return what :func:`ratios` says of each of ``texts``, faster than one by one."""
    elements = [ELEMENT.findall(text) for text in texts]
    symbols = [_numbered(of_text) for of_text in elements]
    return [_ratios(*one) for one in zip(texts, elements, symbols, seq_reps(symbols), strict=True)]


def _numbered(elements: Sequence[str]) -> Symbols:
    names: dict[str, int] = {}
    return np.array([names.setdefault(element, len(names)) for element in elements], dtype=np.int64)


def _ratios(
    text: str, elements: Sequence[str], symbols: Symbols, repeated: tuple[float, float, float, float]
) -> Ratios:
    lines, characters = _repeated_lines(text)
    return Ratios(
        seq_rep=repeated,
        diversity=(1 - repeated[1]) * (1 - repeated[2]) * (1 - repeated[3]) if elements else 0.0,
        compression=compression(text),
        repeated_lines=lines,
        repeated_line_characters=characters,
        top_ngram_characters=_top_ngrams(symbols, np.array([len(element) for element in elements], dtype=np.int64)),
    )


def compression(text: str) -> float:
    """Return the bytes of ``text`` in UTF-8 for each byte that zlib makes of them; 0 for an empty text."""
    data = text.encode("utf-8", "surrogatepass")
    return len(data) / len(zlib.compress(data)) if data else 0.0


def _repeated_lines(text: str) -> tuple[float, float]:
    lines = text.splitlines(keepends=True)
    if not lines:
        return 0.0, 0.0
    seen: set[str] = set()
    again = [line for line in lines if line in seen or seen.add(line)]  # type: ignore[func-returns-value]
    return len(again) / len(lines), sum(map(len, again)) / len(text)


def _top_ngrams(symbols: Symbols, lengths: Symbols) -> tuple[float, float, float]:
    """The share of the characters in the commonest n-gram, for n = 2 to 4; 0 where no n-gram comes back."""
    shares = [0.0, 0.0, 0.0]
    for n, named in enumerate(ngram_names(symbols), start=1):
        if n == 1 or not len(named):
            continue
        values, counts = np.unique(named, return_counts=True)
        if counts.max() > 1:
            starts = np.flatnonzero(named == values[counts.argmax()])
            edges = np.zeros(len(symbols) + 1, dtype=np.int64)
            np.add.at(edges, starts, 1)
            np.add.at(edges, starts + n, -1)
            covered = np.cumsum(edges[:-1]) > 0
            shares[n - 2] = float(lengths[covered].sum() / lengths.sum())
    return shares[0], shares[1], shares[2]
