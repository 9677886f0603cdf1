"""Rules that split a text before its vocabulary, as the tokenizers of well-known models have them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evalharness.models.protocols import SplitRule

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evalharness.models.protocols import RuledTokenizer

SPACES = {"byte_level": "Ġ", "metaspace": "▁"}
"""How a vocabulary writes a space."""
SHARE = 0.02
"""The least share of tokens that begin with it; vocabularies that write spaces have a fifth and more."""

_CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_REST = r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}%s| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_BY_THREE, _ONE_BY_ONE = (_CONTRACTIONS + _REST % count for count in ("{1,3}", ""))
_UPPER, _LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_BY_CASE = (
    rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}*{_LOWER}+{_CONTRACTIONS}?|[^\r\n\p{{L}}\p{{N}}]?{_UPPER}+{_LOWER}*"
    rf"{_CONTRACTIONS}?|\p{{N}}{{1,3}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_DIGITS = {"type": "Digits", "individual_digits": True}


@dataclass(frozen=True, slots=True)
class NamedRule:
    """A rule, and what it is called."""

    words: str
    rule: SplitRule


def split_rules(tokenizer: RuledTokenizer) -> Iterator[NamedRule]:
    """That of the file, if the library made another of it, and the usual ones for vocabularies of its kind."""
    own = tokenizer.rule
    if tokenizer.rule_in_file is not None:
        yield NamedRule("the rule that `tokenizer.json` itself has", tokenizer.rule_in_file)
    kind = _kind(tokenizer)
    keeps_spaces_itself = kind == "metaspace"
    for words, pre_tokenizer in _USUAL[kind]:
        if pre_tokenizer != own.pre_tokenizer:
            normalizer = None if keeps_spaces_itself else own.normalizer
            yield NamedRule(words, SplitRule(normalizer, pre_tokenizer))
    if not keeps_spaces_itself:
        yield from normalised_otherwise(own)


def normalised_otherwise(rule: SplitRule) -> Iterator[NamedRule]:
    """The same rule after other changes of the characters, or after none."""
    for words, normalizer in _NORMALIZERS:
        if normalizer != rule.normalizer:
            yield NamedRule(words, SplitRule(normalizer, rule.pre_tokenizer))


def with_space_before(rule: SplitRule) -> SplitRule | None:
    """The same rule with a space put before each text, or without it; None if the rule has no such key."""
    changed = _toggled(rule.pre_tokenizer)
    return None if changed is None else SplitRule(rule.normalizer, changed)


def _toggled(rule: dict[str, Any] | None) -> dict[str, Any] | None:
    if rule is None:
        return None
    if rule["type"] == "ByteLevel":
        return {**rule, "add_prefix_space": not rule["add_prefix_space"]}
    if rule["type"] == "Sequence":
        *before, last = rule["pretokenizers"]
        changed = _toggled(last)
        return None if changed is None else {**rule, "pretokenizers": [*before, changed]}
    return None


def _kind(tokenizer: RuledTokenizer) -> str:
    names = tokenizer.names()
    for kind, mark in SPACES.items():
        if sum(name.startswith(mark) for name in names) >= SHARE * len(names):
            return kind
    return "plain"


def _byte_level(*, use_regex: bool) -> dict[str, Any]:
    return {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": use_regex}


def _one_after_another(*rules: dict[str, Any]) -> dict[str, Any]:
    return {"type": "Sequence", "pretokenizers": list(rules)}


def _by_pattern(pattern: str) -> dict[str, Any]:
    split = {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}
    return _one_after_another(split, _byte_level(use_regex=False))


def _metaspace(scheme: str, *, split: bool) -> dict[str, Any]:
    return {"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": split}


_BYTE_LEVEL: Sequence[tuple[str, dict[str, Any] | None]] = (
    ("the rule of GPT-2", _byte_level(use_regex=True)),
    ("the rule of Llama 3 (digits in groups of up to three)", _by_pattern(_BY_THREE)),
    ("the rule of Qwen (each digit by itself)", _by_pattern(_ONE_BY_ONE)),
    ("the rule of GPT-2 with each digit by itself", _one_after_another(_DIGITS, _byte_level(use_regex=True))),
    ("the rule of GPT-4o (words by upper and lower case)", _by_pattern(_BY_CASE)),
    ("no split before the merges", _byte_level(use_regex=False)),
)
_METASPACE: Sequence[tuple[str, dict[str, Any] | None]] = tuple(
    (f"spaces kept as `▁`, put before {where}, {'words apart' if split else 'words together'}{digits}", rule)
    for scheme, where in (("first", "the text"), ("always", "each part"), ("never", "nothing"))
    for split in (True, False)
    for digits, rule in (
        ("", _metaspace(scheme, split=split)),
        (", each digit by itself", _one_after_another(_DIGITS, _metaspace(scheme, split=split))),
    )
)
_PLAIN: Sequence[tuple[str, dict[str, Any] | None]] = (
    ("words and signs apart", {"type": "Whitespace"}),
    ("text split at spaces alone", {"type": "WhitespaceSplit"}),
    ("the rule of BERT", {"type": "BertPreTokenizer"}),
    ("words and signs apart, each digit by itself", _one_after_another({"type": "Whitespace"}, _DIGITS)),
    ("no split before the vocabulary", None),
)
_USUAL = {"byte_level": _BYTE_LEVEL, "metaspace": _METASPACE, "plain": _PLAIN}
_NORMALIZERS: Sequence[tuple[str, dict[str, Any] | None]] = (
    ("characters as they are", None),
    ("characters in the form NFC", {"type": "NFC"}),
    ("characters in the form NFKC", {"type": "NFKC"}),
    ("lower case", {"type": "Lowercase"}),
)
