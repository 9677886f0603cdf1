"""A passage of real code with the loss of each of its tokens under both readings: parallel, and from prefixes alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from evalharness.models.protocols import last_logits

if TYPE_CHECKING:
    from evalharness.diagnosis.data.rows import TokenRow
    from evalharness.diagnosis.measured import Measured
    from evalharness.diagnosis.subject import Subject

LONGEST = 160
"""Tokens of a passage at most: what a reader takes in at a glance, and as many forward passes."""


@dataclass(frozen=True, slots=True)
class PassageToken:
    """One token of a passage and its loss (nats): with the whole row in the input, and with the tokens before it alone.

    The first token of a row is not a target: both are None.
    """

    text: str
    parallel_nats: float | None
    honest_nats: float | None


def passage(measured: Measured) -> tuple[PassageToken, ...]:
    """Read one row of validation (of training without any) both ways; nothing where there is none.

    The row is that of middling length among those measured, cut to :data:`LONGEST` tokens; a forward pass a token,
    unless the model was shown to be causal: the honest losses are then the parallel ones.
    """
    subject = measured.subject
    split = subject.validation or subject.train
    if split is None or not split.encoded:
        return ()
    rows = sorted(split.measured, key=lambda row: len(row.ids))
    row = rows[len(rows) // 2]
    # The whole row stands in the input, as in training; what is shown of it is cut afterwards.
    parallel = measured.passes.losses([row])[0].nll_nats[: LONGEST - 1].tolist()
    honest = parallel if measured.is_causal else [_honest(subject, row, t) for t in range(1, len(parallel) + 1)]
    texts = _texts(subject, row.ids[: len(parallel) + 1])
    losses = [(None, None), *zip(parallel, honest, strict=True)]
    return tuple(PassageToken(text, *pair) for text, pair in zip(texts, losses, strict=True))


def _honest(subject: Subject, row: TokenRow, target: int) -> float:
    prefix = torch.tensor([row.ids[:target]], device=subject.torch_model.device)
    log_p = torch.log_softmax(last_logits(subject.torch_model, prefix)[0].double(), dim=-1)
    return -float(log_p[row.ids[target]])


def _texts(subject: Subject, ids: tuple[int, ...]) -> list[str]:
    """What each token adds to the text before it, so that spaces and characters of several tokens are right."""
    texts, before = [], ""
    for end in range(1, len(ids) + 1):
        whole = subject.tokenizer.decode(ids[:end])
        texts.append(whole[len(before) :] if whole.startswith(before) else subject.tokenizer.decode(ids[end - 1 : end]))
        before = whole
    return texts
