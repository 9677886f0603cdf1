"""A small byte-level tokenizer, trained on the rows; and rows as ids."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rows import Row

END, PAD = "<|end|>", "<|pad|>"
END_ID, PAD_ID = 0, 1
SIZE = 448


@dataclass(frozen=True, slots=True)
class Encoded:
    """A row as ids, with the end token; the first ``prompt_tokens`` are the prompt's."""

    ids: tuple[int, ...]
    prompt_tokens: int


def trained_tokenizer(rows: Iterable[Row], *, size: int = SIZE, by_words: bool = True) -> Tokenizer:
    """Byte-level BPE (Sennrich et al. 2016). Without ``by_words`` a token may span words and lines."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=by_words)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=[END, PAD],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator((row.prompt + row.completion for row in rows), trainer)
    return tokenizer


def apart(encode: Callable[[str], list[int]], rows: Iterable[Row], end: tuple[int, ...] = (END_ID,)) -> list[Encoded]:
    """Prompt and completion encoded by themselves, and joined."""
    pairs = [(encode(row.prompt), encode(row.completion)) for row in rows]
    return [Encoded((*prompt, *completion, *end), len(prompt)) for prompt, completion in pairs]


def whole(encode: Callable[[str], list[int]], rows: Iterable[Row]) -> list[Encoded]:
    """Each row's text encoded as one: where the prompt ends is not known."""
    return [Encoded((*encode(row.prompt + row.completion), END_ID), 0) for row in rows]
