"""The token ids of a completion: those that the file has, or those that a tokenizer gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from evalharness.errors import CompletionFileError

if TYPE_CHECKING:
    from collections.abc import MutableMapping, Sequence
    from pathlib import Path

    from evalharness.completion_files.entry import FileCompletion

    Lines = MutableMapping[str, list[int]]

ENCODED_ANEW = "token_ids that are another tokenizer's, so that their texts were encoded anew"
NOT_ENCODABLE = "texts with a character that the tokenizer lacks, measured by characters alone"


class FileTokenizer(Protocol):
    """What is needed of a tokenizer: text to ids and back, and the ids that it has."""

    vocab_size: int
    token_ids: frozenset[int]

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text. Raises ValueError for a character that the vocabulary lacks."""

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of ids."""


class Tokens:
    """A tokenizer for the completions of files; ``path`` is the file that it was read from."""

    def __init__(self, path: Path, tokenizer: FileTokenizer) -> None:
        self._path = path
        self._tokenizer = tokenizer

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids."""
        return self._tokenizer.decode(ids)

    def of(self, file: Path, completion: FileCompletion, text: str, lines: Lines) -> Sequence[int] | None:
        """The ids of ``text``, what the model wrote of the completion; None where the vocabulary lacks some of it.

        The file's own ids are taken where they are this tokenizer's. ``lines`` takes the numbers of the lines where
        something had to be done. Raises :class:`CompletionFileError` for an id that the tokenizer doesn't have.
        """
        if completion.token_ids is not None and text == completion.text:
            self._check(file, completion, completion.token_ids)
            # The text may end before the ids do, at a stop sequence.
            if self.decode(completion.token_ids).startswith(text):
                return completion.token_ids
            lines.setdefault(ENCODED_ANEW, []).append(completion.number)
        try:
            return self._tokenizer.encode(text)
        except (ValueError, TypeError):  # a character that it lacks; half of a surrogate pair
            lines.setdefault(NOT_ENCODABLE, []).append(completion.number)
            return None

    def _check(self, file: Path, completion: FileCompletion, ids: Sequence[int]) -> None:
        unknown = next((token_id for token_id in ids if token_id not in self._tokenizer.token_ids), None)
        if unknown is not None:
            raise CompletionFileError(
                f"{file}: line {completion.number} has the token id {unknown}, which is not in {self._path} "
                f"(its ids are below {self._tokenizer.vocab_size})"
            )
