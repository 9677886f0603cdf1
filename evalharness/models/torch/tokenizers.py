"""Tokenizers of every kind behind one face: a ``tokenizer.json``, one of transformers, or the user's own object.

Each satisfies :class:`evalharness.models.protocols.Tokenizer`. It also knows which ids have a token, what a token's
name means, and what it puts before a text by itself.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Protocol

import tokenizers as hf_tokenizers

from evalharness.errors import CheckpointError
from evalharness.models.protocols import SplitRule
from evalharness.models.torch.error_text import first_line
from evalharness.models.torch.piece_tokenizers import SentencePieceTokenizer, TiktokenTokenizer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    RenderChat = Callable[[Sequence[dict[str, str]], bool], str]


class KnownTokenizer(Protocol):
    """A tokenizer with what a checkpoint has to know of it. ``end_ids`` are those that it names as its end itself.

    ``render_chat`` writes turns (``role``, ``content``) by the tokenizer's chat template, with the head of an answer
    after them where one is to follow; None where it has no template.
    """

    vocab_size: int
    token_ids: frozenset[int]
    begin_ids: tuple[int, ...]
    end_ids: frozenset[int]
    render_chat: RenderChat | None

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text without special tokens; ValueError names what the vocabulary lacks."""

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of ids, special tokens included."""

    def find(self, name: str) -> int | None:
        """Return the id of a token's name, or of a text that is one token; None where it is neither."""

    def names(self) -> list[str]:
        """Return names of tokens, the special ones first."""

    def digest(self) -> str:
        """Return a sha256 over everything that it does."""


class FileTokenizer:
    """A ``tokenizer.json``, by the ``tokenizers`` library."""

    def __init__(self, tokenizer: hf_tokenizers.Tokenizer) -> None:
        # A file may ask for cutting and filling: prompts are never cut silently.
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self._tokenizer = tokenizer
        self._vocabulary: dict[str, int] = tokenizer.get_vocab(with_added_tokens=True)
        self.token_ids = frozenset(self._vocabulary.values())
        self.vocab_size = max(self.token_ids, default=-1) + 1
        self._content = tokenizer.to_str()
        settings = json.loads(self._content)
        self._special = [token["content"] for token in settings.get("added_tokens") or [] if token.get("special")]
        unknown = settings["model"].get("unk_token") or settings["model"].get("unk_id")
        self._unknown_id = self._vocabulary.get(unknown) if isinstance(unknown, str) else unknown
        self._is_exact = settings.get("normalizer") is None and _is_byte_level(settings)
        self.rule = rule_of(settings)
        self.rule_in_file: SplitRule | None = None
        self.begin_ids = self._put_before()
        self.end_ids: frozenset[int] = frozenset()
        self.render_chat: RenderChat | None = None

    def encode(self, text: str) -> list[int]:
        """See :class:`KnownTokenizer`."""
        encoding = self._tokenizer.encode(text, add_special_tokens=False)
        ids: list[int] = encoding.ids
        if self._unknown_id is not None:
            for token_id, (start, end) in zip(ids, encoding.offsets, strict=True):
                # A text may name the unknown token itself; that is known.
                if token_id == self._unknown_id and self._vocabulary.get(text[start:end]) != token_id:
                    raise _not_in_vocabulary(text[start:end])
        self._check_nothing_dropped(text, ids, encoding.offsets)
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """See :class:`KnownTokenizer`."""
        text: str = self._tokenizer.decode(list(ids), skip_special_tokens=False)
        return text

    def find(self, name: str) -> int | None:
        """See :class:`KnownTokenizer`."""
        if name in self._vocabulary:
            return self._vocabulary[name]
        return _single_id(self, name)

    def names(self) -> list[str]:
        """See :class:`KnownTokenizer`."""
        return [*self._special, *(name for name in self._vocabulary if name not in self._special)]

    def digest(self) -> str:
        """See :class:`KnownTokenizer`."""
        return hashlib.sha256(self._content.encode()).hexdigest()

    def under(self, rule: SplitRule) -> FileTokenizer:
        """See :class:`evalharness.models.protocols.RuledTokenizer`."""
        settings = json.loads(self._content) | {"normalizer": rule.normalizer, "pre_tokenizer": rule.pre_tokenizer}
        try:
            return FileTokenizer(hf_tokenizers.Tokenizer.from_str(json.dumps(settings)))
        except Exception as error:  # the library raises a bare Exception
            raise ValueError(first_line(error)) from error

    def _check_nothing_dropped(self, text: str, ids: list[int], offsets: list[tuple[int, int]]) -> None:
        """Some models have no unknown token and drop without a word what they lack.

        A byte-level tokenizer has to give the text back as it was. Any other may change spaces, so only characters
        that no token covers count, and not where a normalizer may have removed them with intent.
        """
        if self._is_exact:
            back = self.decode(ids)
            if back not in {text, " " + text}:
                raise _not_in_vocabulary(_first_difference(text, back))
            return
        if self._unknown_id is None and self._tokenizer.normalizer is None:
            covered = {place for start, end in offsets for place in range(start, end)}
            for place, character in enumerate(text):
                if place not in covered and not character.isspace():
                    raise _not_in_vocabulary(character)

    def _put_before(self) -> tuple[int, ...]:
        """What the file's own post-processor puts before a text."""
        with_special = self._tokenizer.encode("a", add_special_tokens=True)
        without = self._tokenizer.encode("a", add_special_tokens=False)
        count = 0
        while count < len(with_special.ids) and with_special.special_tokens_mask[count]:
            count += 1
        ids: list[int] = with_special.ids[:count]
        return tuple(ids) if without.ids else ()


class TransformersTokenizer:
    """A tokenizer of transformers with no ``tokenizer.json`` behind it (sentencepiece in Python, a user's class)."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._vocabulary: dict[str, int] = tokenizer.get_vocab()
        self.token_ids = frozenset(self._vocabulary.values())
        self.vocab_size = max(self.token_ids, default=-1) + 1
        self.begin_ids, self.end_ids = special_ids(tokenizer)
        self.render_chat = chat_template_of(tokenizer)

    def encode(self, text: str) -> list[int]:
        """See :class:`KnownTokenizer`."""
        ids = [int(token_id) for token_id in self._tokenizer.encode(text, add_special_tokens=False)]
        unknown = self._tokenizer.unk_token_id
        if unknown is not None and unknown in ids and self._tokenizer.unk_token not in text:
            raise _not_in_vocabulary(_first_failing(text, lambda part: unknown in self._plain_ids(part)))
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """See :class:`KnownTokenizer`."""
        text: str = self._tokenizer.decode(list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False)
        return text

    def find(self, name: str) -> int | None:
        """See :class:`KnownTokenizer`."""
        return self._vocabulary.get(name, _single_id(self, name))

    def names(self) -> list[str]:
        """See :class:`KnownTokenizer`."""
        return [*self._tokenizer.all_special_tokens, *self._vocabulary]

    def digest(self) -> str:
        """See :class:`KnownTokenizer`."""
        return hashlib.sha256(json.dumps([type(self._tokenizer).__name__, self._vocabulary]).encode()).hexdigest()

    def _plain_ids(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False)
        return ids


class UserTokenizer:
    """An object of the user's code: ``encode``, ``decode`` and ``vocab_size`` (an attribute or a method)."""

    def __init__(self, tokenizer: Any, spec: str) -> None:
        self._tokenizer = tokenizer
        size = getattr(tokenizer, "vocab_size", None)
        size = size() if callable(size) else size
        if not isinstance(size, int) or isinstance(size, bool) or size < 1:
            raise CheckpointError(f"tokenizer = {spec!r}: vocab_size is {size!r}, expected a whole number above 0")
        self.vocab_size = size
        self.token_ids = frozenset(range(size))
        self.begin_ids: tuple[int, ...] = ()
        self.end_ids = _ids_named(tokenizer, ("eos_token_id", "eot_token"))
        self._unknown_ids = _ids_named(tokenizer, ("unk_token_id", "unk_id"))
        self.render_chat: RenderChat | None = None

    def encode(self, text: str) -> list[int]:
        """See :class:`KnownTokenizer`."""
        try:
            ids = [int(token_id) for token_id in self._tokenizer.encode(text)]
        except (KeyError, ValueError, IndexError) as error:
            raise _not_in_vocabulary(_first_failing(text, self._fails)) from error
        if self._unknown_ids & set(ids):
            raise _not_in_vocabulary(_first_failing(text, self._fails))
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """See :class:`KnownTokenizer`."""
        return str(self._tokenizer.decode(list(ids)))

    def find(self, name: str) -> int | None:
        """See :class:`KnownTokenizer`."""
        return _single_id(self, name)

    def names(self) -> list[str]:
        """See :class:`KnownTokenizer`."""
        return []

    def digest(self) -> str:
        """By what it does: the text of every id. Its vocabulary may come from a file that nobody names."""
        texts = [type(self._tokenizer).__qualname__]
        for token_id in range(self.vocab_size):
            try:
                texts.append(self.decode([token_id]))
            except Exception as error:  # noqa: BLE001 - the user's code; a gap in the vocabulary is a fact like others
                texts.append(first_line(error))
        return hashlib.sha256(json.dumps(texts).encode()).hexdigest()

    def _fails(self, text: str) -> bool:
        try:
            ids = [int(token_id) for token_id in self._tokenizer.encode(text)]
        except (KeyError, ValueError, IndexError):
            return True
        return bool(self._unknown_ids & set(ids))


def read_tokenizer_file(path: Path) -> FileTokenizer:
    """Read a ``tokenizer.json``. Raises CheckpointError where it is missing or broken."""
    if not path.is_file():
        raise CheckpointError(f"{path}: no such tokenizer file")
    try:
        return FileTokenizer(hf_tokenizers.Tokenizer.from_file(str(path)))
    except Exception as error:  # the library raises a bare Exception
        raise CheckpointError(f"{path}: is not a tokenizer.json: {first_line(error)}") from error


def rule_of(settings: dict[str, Any]) -> SplitRule:
    """What the content of a ``tokenizer.json`` does to a text before its vocabulary."""
    return SplitRule(settings.get("normalizer"), settings.get("pre_tokenizer"))


def wrap(tokenizer: Any, spec: str) -> KnownTokenizer:
    """Give any tokenizer object this module's face. ``spec`` is how the manifest calls it."""
    if isinstance(tokenizer, hf_tokenizers.Tokenizer):
        return FileTokenizer(tokenizer)
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if isinstance(backend, hf_tokenizers.Tokenizer):
        known = FileTokenizer(backend)
        known.begin_ids, known.end_ids = special_ids(tokenizer)
        known.render_chat = chat_template_of(tokenizer)
        return known
    if hasattr(tokenizer, "get_vocab") and hasattr(tokenizer, "all_special_tokens"):
        return TransformersTokenizer(tokenizer)
    if hasattr(tokenizer, "encode_ordinary") and hasattr(tokenizer, "special_tokens_set"):
        return TiktokenTokenizer(tokenizer)
    if hasattr(tokenizer, "id_to_piece") and hasattr(tokenizer, "get_piece_size"):
        return SentencePieceTokenizer(tokenizer)
    lacking = [name for name in ("encode", "decode", "vocab_size") if not hasattr(tokenizer, name)]
    if lacking:
        kind = type(tokenizer).__name__
        raise CheckpointError(f"tokenizer = {spec!r}: a {kind} has no {', '.join(lacking)}")
    return UserTokenizer(tokenizer, spec)


def special_ids(tokenizer: Any) -> tuple[tuple[int, ...], frozenset[int]]:
    """What a tokenizer of transformers puts before a text, and the id of its end token."""
    with_special = [int(token_id) for token_id in tokenizer("a")["input_ids"]]
    special = set(tokenizer.all_special_ids)
    count = 0
    while count < len(with_special) and with_special[count] in special:
        count += 1
    end = tokenizer.eos_token_id
    return tuple(with_special[:count]), frozenset() if end is None else frozenset({int(end)})


def chat_template_of(tokenizer: Any) -> RenderChat | None:
    """What a tokenizer of transformers makes of a conversation, None where it has no chat template."""
    if not getattr(tokenizer, "chat_template", None):
        return None

    def render(turns: Sequence[dict[str, str]], answer_follows: bool) -> str:
        text: str = tokenizer.apply_chat_template(list(turns), tokenize=False, add_generation_prompt=answer_follows)
        return text

    return render


def _is_byte_level(settings: dict[str, Any]) -> bool:
    decoder = settings.get("decoder") or {}
    return bool(settings["model"].get("type") == "BPE" and decoder.get("type") == "ByteLevel")


def _single_id(tokenizer: Any, text: str) -> int | None:
    try:
        ids: list[int] = tokenizer.encode(text)
    except ValueError:
        return None
    return ids[0] if len(ids) == 1 else None


def _ids_named(tokenizer: Any, names: Sequence[str]) -> frozenset[int]:
    values = (getattr(tokenizer, name, None) for name in names)
    return frozenset(value for value in values if isinstance(value, int) and not isinstance(value, bool))


def _first_failing(text: str, fails: Any) -> str:
    return next((character for character in text if fails(character)), text[:1])


def _first_difference(text: str, back: str) -> str:
    for place, character in enumerate(text):
        if back[place : place + 1] != character:
            return character
    return text[-1:]


def _not_in_vocabulary(piece: str) -> ValueError:
    kind = "character" if len(piece) == 1 else "text"
    return ValueError(f"the {kind} {piece!r} is not in the vocabulary")
