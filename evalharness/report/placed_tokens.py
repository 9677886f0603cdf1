"""Which characters of a completion each of its tokens wrote."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

REACH = 16
"""Characters within which a token's text is looked for again after one that is no text of its own."""
_NO_TEXT = "\N{REPLACEMENT CHARACTER}"


@dataclass(frozen=True, slots=True)
class Token:
    """Characters of a completion and the token that wrote them.

    ``ids`` are several where only together they are text, as the bytes of an emoji are. ``entropy_nats`` is that of the
    prediction, the highest of several; None if it is not recorded.
    """

    ids: tuple[int, ...]
    text: str
    entropy_nats: float | None


def placed_tokens(
    text: str, ids: Sequence[int], token_texts: Mapping[int, str], entropies_nats: Sequence[float | None]
) -> tuple[Token, ...]:
    """Return the tokens from the start of ``text`` on, as far as their texts alone tell where they stand in it.

    ``token_texts`` is each id decoded alone. ``entropies_nats`` has one value per token, None if it is not known, or is
    empty. The texts of the tokens are the beginning of ``text``, or all of it. A token whose text can't be found goes
    with the next.
    """
    tokens: list[Token] = []
    at, waiting = 0, 0
    for i, token_id in enumerate(ids):
        piece = token_texts.get(token_id, "")
        begin = _find(text, piece, at)
        if begin is None:
            continue
        if begin > at and waiting < i:  # what lies between is of the tokens that were not found
            tokens.append(_token(text[at:begin], ids, entropies_nats, waiting, i))
            at, waiting = begin, i
        end = begin + len(piece)
        tokens.append(_token(text[at:end], ids, entropies_nats, waiting, i + 1))
        at, waiting = end, i + 1
    if waiting < len(ids) and 0 < len(text) - at <= REACH:
        tokens.append(_token(text[at:], ids, entropies_nats, waiting, len(ids)))
    return tuple(tokens)


def _find(text: str, piece: str, at: int) -> int | None:
    """Where a token's text stands next; None without text, for part of a character, and if it is not near."""
    if not piece or _NO_TEXT in piece:
        return None
    found = text.find(piece, at, at + len(piece) + REACH)
    return None if found < 0 else found


def _token(text: str, ids: Sequence[int], entropies_nats: Sequence[float | None], first: int, end: int) -> Token:
    # A model that gave NaN has no entropy there: it is written as null.
    known = [nats for nats in entropies_nats[first:end] if nats is not None and math.isfinite(nats)]
    return Token(tuple(ids[first:end]), text, max(known, default=None))
