"""Tokenizers of files other than ``tokenizer.json``: characters, sentencepiece, and tiktoken's ranks.

Each satisfies :class:`evalharness.models.torch.tokenizers.KnownTokenizer`.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SPACE = "\u2581"
_END_OF_TEXT, _BEGIN = "<|endoftext|>", "<|bos|>"
_ENDS = {_END_OF_TEXT, "<|assistant_end|>"}
_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")


class Pieces:
    """What all of them share: a text for each id. None of them puts anything before a text by itself."""

    begin_ids: tuple[int, ...] = ()
    end_ids: frozenset[int] = frozenset()
    render_chat: Any = None

    def __init__(self, names: Mapping[int, str]) -> None:
        self._names = dict(names)
        self._ids = {name: token_id for token_id, name in self._names.items()}
        self.token_ids = frozenset(self._names)
        self.vocab_size = max(self.token_ids, default=-1) + 1

    def encode(self, text: str) -> list[int]:
        """See :class:`KnownTokenizer`."""
        raise NotImplementedError

    def find(self, name: str) -> int | None:
        """See :class:`KnownTokenizer`."""
        if name in self._ids:
            return self._ids[name]
        try:
            ids = self.encode(name)
        except ValueError:
            return None
        return ids[0] if len(ids) == 1 else None

    def names(self) -> list[str]:
        """See :class:`KnownTokenizer`."""
        return list(self._ids)

    def digest(self) -> str:
        """See :class:`KnownTokenizer`."""
        content = json.dumps([type(self).__name__, sorted(self._names.items())])
        return hashlib.sha256(content.encode()).hexdigest()


class CharacterTokenizer(Pieces):
    """A token for each character, as nanoGPT's ``meta.pkl`` has them in ``stoi``."""

    def encode(self, text: str) -> list[int]:
        """See :class:`KnownTokenizer`."""
        lacking = next((character for character in text if character not in self._ids), None)
        if lacking is not None:
            raise ValueError(f"the character {lacking!r} is not in the vocabulary")
        return [self._ids[character] for character in text]

    def decode(self, ids: Sequence[int]) -> str:
        """See :class:`KnownTokenizer`."""
        return "".join(self._names[token_id] for token_id in ids)


class SentencePieceTokenizer(Pieces):
    """A ``.model`` of sentencepiece. Spaces are kept as they are: a completion may begin with one."""

    def __init__(self, processor: Any) -> None:
        super().__init__({i: processor.id_to_piece(i) for i in range(processor.get_piece_size())})
        self._processor = processor
        self._unknown = processor.unk_id()
        self.end_ids = frozenset(i for i in (processor.eos_id(),) if i >= 0)

    def encode(self, text: str) -> list[int]:
        """See :class:`KnownTokenizer`."""
        ids: list[int] = self._processor.encode(text)
        if self._unknown in ids:
            known = (character for character in text if self._unknown not in self._processor.encode(character))
            lacking = next((character for character in text if character not in set(known)), text[:1])
            raise ValueError(f"the character {lacking!r} is not in the vocabulary")
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """See :class:`KnownTokenizer`."""
        return b"".join(self._bytes_of(token_id) for token_id in ids).decode("utf-8", "replace")

    def _bytes_of(self, token_id: int) -> bytes:
        piece = self._names[token_id]
        byte = _BYTE.fullmatch(piece)
        return bytes([int(byte[1], 16)]) if byte else piece.replace(_SPACE, " ").encode()


class TiktokenTokenizer(Pieces):
    """An ``Encoding`` of tiktoken. Special tokens are found by name; in a text they are only text.

    Without ``<|endoftext|>``, ``<|bos|>`` stands between documents, as in nanochat: it ends the one before it.
    """

    def __init__(self, encoding: Any) -> None:
        special = {encoding.encode_single_token(name): name for name in encoding.special_tokens_set}
        ordinary = {
            i: encoding.decode([i]) for i in range(encoding.n_vocab) if i not in special and _is_id(encoding, i)
        }
        super().__init__(ordinary | special)
        self._ids |= {name: token_id for token_id, name in special.items()}
        self._special = special
        self._encoding = encoding
        ends = _ENDS if _END_OF_TEXT in special.values() else {*_ENDS, _BEGIN}
        self.end_ids = frozenset(i for i, name in special.items() if name in ends)

    def encode(self, text: str) -> list[int]:
        """See :class:`KnownTokenizer`."""
        ids: list[int] = self._encoding.encode_ordinary(text)
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """See :class:`KnownTokenizer`."""
        text: str = self._encoding.decode(list(ids))
        return text

    def names(self) -> list[str]:
        """See :class:`KnownTokenizer`."""
        return [*self._special.values(), *super().names()]


def _is_id(encoding: Any, token_id: int) -> bool:
    try:
        encoding.decode_single_token_bytes(token_id)
    except KeyError:
        return False
    return True
