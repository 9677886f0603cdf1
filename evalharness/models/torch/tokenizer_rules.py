"""The rule by which text is split before the vocabulary: what a tokenizer.json says, and what transformers makes of it.

For some classes AutoTokenizer takes vocabulary and merges from the file, and puts the rule of the class before them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalharness.models.torch.tokenizers import FileTokenizer, KnownTokenizer, read_tokenizer_file

if TYPE_CHECKING:
    from pathlib import Path

TOKENIZER_FILE = "tokenizer.json"
TEXTS = (
    "def f_1(aB, c10):\n    return 12345.67 + a[0]\n\n\n",
    "It's  they'LL\tgo\r\n \n  10 000",
    " cafe\u0301 \ufb01ne ÀB",  # a combining accent, a ligature
)
"""What well-known rules split or write differently. Two rules that agree here are the same, written in another way."""


def with_rule_in_file(tokenizer: KnownTokenizer, folder: Path) -> KnownTokenizer:
    """The tokenizer that transformers made of a folder, with the rule that the file has if it is another one."""
    file = folder / TOKENIZER_FILE
    if isinstance(tokenizer, FileTokenizer) and file.is_file():
        in_file = read_tokenizer_file(file)
        if in_file.rule != tokenizer.rule and _ids(in_file) != _ids(tokenizer):
            tokenizer.rule_in_file = in_file.rule
    return tokenizer


def rule_notes(tokenizer: KnownTokenizer) -> tuple[str, ...]:
    """A note if transformers splits text by another rule than the tokenizer's own file says."""
    if not isinstance(tokenizer, FileTokenizer) or tokenizer.rule_in_file is None:
        return ()
    own, in_file = tokenizer.rule, tokenizer.rule_in_file
    keys = [key for key in ("normalizer", "pre_tokenizer") if getattr(own, key) != getattr(in_file, key)]
    note = (
        f"transformers splits text by another rule than {TOKENIZER_FILE} says ({', '.join(keys)}); to take the file's "
        "name it: [model] tokenizer"
    )
    return (note,)


def _ids(tokenizer: FileTokenizer) -> list[list[int] | None]:
    return [_ids_of(tokenizer, text) for text in TEXTS]


def _ids_of(tokenizer: FileTokenizer, text: str) -> list[int] | None:
    try:
        return tokenizer.encode(text)
    except ValueError:
        return None
