"""How much the completions depend on their prompts: the mutual information between the two.

Outputs that ignore their input are invisible to entropy (arXiv 2604.06268 calls it template collapse): each completion
may be varied and whole, and all of them be the same. Here no model is asked: the completions of a problem are told
from those of all other problems by their words alone.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix
from scipy.special import logsumexp

from evalharness.degeneration.lexemes import lexemes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_Scores = npt.NDArray[np.float64]

OWN = 0.5
"""Weight of the problem's own words in its model, beside the words of all completions (Jelinek and Mercer 1980)."""

SHARPNESS = (0.0, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
"""Powers to which likelihoods are raised: the bound holds for each, and the best of them is given."""


@dataclass(frozen=True, slots=True)
class Dependence:
    """By problem and completion, in the order of the problems: ``nats`` and whether the own problem fits best.

    The mean of ``nats`` is a lower bound of the mutual information between problem and completion, at most
    ``ceiling_nats``, the logarithm of the number of problems.
    """

    nats: Mapping[str, tuple[float, ...]]
    own_fits_best: Mapping[str, tuple[bool, ...]]
    ceiling_nats: float


def dependence(texts_by_problem: Mapping[str, Sequence[str]]) -> Dependence | None:
    """Measure how far completions tell which problem they are of; None without two problems of two completions.

    The bound of van den Oord et al. 2018 ("Representation Learning with Contrastive Predictive Coding", equation 5;
    for any critic: Poole et al. 2019, equation 12): the mean over completions of ``ln(f(own) / mean over problems of
    f)``. As ``f`` the likelihood of the completion's words under the words of the problem's *other* completions, raised
    to one power of ``SHARPNESS`` for all. Of every problem the same completion is left out, and problems with
    fewer completions than most are not used.
    """
    size = _usual_size(texts_by_problem)
    problems = [name for name, texts in texts_by_problem.items() if len(texts) == size]
    if size < 2 or len(problems) < 2:
        return None
    scores = _scores([[texts_by_problem[name][k] for name in problems] for k in range(size)])
    nats = max((_bound(sharpness * scores) for sharpness in SHARPNESS), key=lambda values: float(values.mean()))
    best = _own_fits_best(scores)
    return Dependence(
        nats={name: tuple(nats[:, i].tolist()) for i, name in enumerate(problems)},
        own_fits_best={name: tuple(best[:, i].tolist()) for i, name in enumerate(problems)},
        ceiling_nats=float(np.log(len(problems))),
    )


def _usual_size(texts_by_problem: Mapping[str, Sequence[str]]) -> int:
    """How many completions most problems have; 0 without problems."""
    sizes = Counter(map(len, texts_by_problem.values()))
    return max(sizes, key=lambda size: (sizes[size], size), default=0)


def _scores(rounds: Sequence[Sequence[str]]) -> _Scores:
    """Log-likelihood ratios, shape ``(completions a problem, problems, problems)``.

    At ``[k, i, j]`` those of the words of problem i's completion k under the words of problem j's other completions,
    against the words of all.
    """
    names: dict[str, int] = {}
    numbered = [[[names.setdefault(word, len(names)) for word in lexemes(text)] for text in texts] for texts in rounds]
    drawn = [_matrix([Counter(words) for words in row], len(names)) for row in numbered]
    total = sum(drawn[1:], start=drawn[0])
    everywhere = np.asarray(total.sum(axis=0)).ravel()
    frequency = everywhere / max(1.0, everywhere.sum())
    return np.stack([(x @ _log_ratios(total - x, frequency).T).toarray() for x in drawn])


def _matrix(counts: Sequence[Counter[int]], words: int) -> csr_matrix:
    """How often each word stands in each text, shape ``(texts, words)``."""
    rows = np.repeat(np.arange(len(counts)), [len(counted) for counted in counts])
    columns = [word for counted in counts for word in counted]
    values = [float(count) for counted in counts for count in counted.values()]
    return csr_matrix((values, (rows, columns)), shape=(len(counts), max(1, words)))


def _log_ratios(others: csr_matrix, frequency: npt.NDArray[np.float64]) -> csr_matrix:
    """For each problem and word ``ln(mixture / ((1 - OWN) frequency))``: 0, and not stored, where it is not used."""
    ratios = others.tocoo()
    sizes = np.asarray(others.sum(axis=1)).ravel()
    shares = ratios.data / sizes[ratios.row]
    ratios.data = np.log1p(OWN * shares / ((1 - OWN) * frequency[ratios.col]))
    return ratios.tocsr()


def _bound(scores: _Scores) -> npt.NDArray[np.float64]:
    """The bound's term of each completion, shape ``(completions a problem, problems)``."""
    terms: npt.NDArray[np.float64] = np.einsum("kii->ki", scores) - logsumexp(scores, axis=2) + np.log(scores.shape[2])
    return terms


def _own_fits_best(scores: _Scores) -> npt.NDArray[np.bool_]:
    """Whether no other problem's words fit as well as those of the own one."""
    own = np.eye(scores.shape[2], dtype=np.bool_)
    best: npt.NDArray[np.bool_] = np.einsum("kii->ki", scores) > np.where(own, -np.inf, scores).max(axis=2)
    return best
