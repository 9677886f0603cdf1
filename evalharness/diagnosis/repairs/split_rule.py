"""Text that is split by another rule than in training, before the same vocabulary."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random
from typing import TYPE_CHECKING, Any

from evalharness.diagnosis.data.spread import evenly
from evalharness.diagnosis.repair import Repair
from evalharness.diagnosis.trials.split_rules import NamedRule, normalised_otherwise, split_rules, with_space_before
from evalharness.diagnosis.trials.swapping import no_change
from evalharness.models.protocols import RuledTokenizer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from evalharness.diagnosis.subject import Split, Subject
    from evalharness.models.protocols import SplitRule, Tokenizer

TEXTS = 64
"""Texts that show whether a rule gives other tokens at all."""
CUTS = 0.1
"""Of the places in a text the share at which a split at random cuts: about once in two words."""


def repairs(subject: Subject) -> Iterator[Repair]:
    """The rule of the tokenizer's own file, and those of well-known models, over the texts that were read as text."""
    split, tokenizer = subject.validation, subject.tokenizer
    # Rows that are ids already have the tokens of training.
    if split is None or split.file is None or not isinstance(tokenizer, RuledTokenizer):
        return
    yield from _Rules(tokenizer, _texts(split)).repairs(split_rules(tokenizer), tokenizer.rule)


def _texts(split: Split) -> tuple[str, ...]:
    rows = evenly(split.rows, TEXTS)
    return tuple(text for row in rows for text in (row.prompt, row.completion) if text)


@dataclass(slots=True)
class _Rules:
    """Repairs of one tokenizer. Only the last rule's is kept: of a large vocabulary each takes much memory."""

    tokenizer: RuledTokenizer
    texts: Sequence[str]
    _last: tuple[SplitRule, Tokenizer] | None = field(default=None, init=False)

    def repairs(self, rules: Iterable[NamedRule], other_than: SplitRule) -> Iterator[Repair]:
        """One for each rule under which some text has other tokens than under ``other_than``."""
        known = self._ids(other_than)
        for rule in rules:
            ids = self._ids(rule.rule)
            if ids is not None and ids != known:
                yield self._repair(rule)

    def _ids(self, rule: SplitRule) -> list[list[int]] | None:
        """The ids of all texts; None if the vocabulary can't spell one of them under this rule."""
        try:
            made = self._under(rule)
            return [made.encode(text) for text in self.texts]
        except ValueError:
            return None

    def _under(self, rule: SplitRule) -> Tokenizer:
        if rule == self.tokenizer.rule:
            return self.tokenizer
        if self._last is None or self._last[0] != rule:
            self._last = rule, self.tokenizer.under(rule)
        return self._last[1]

    def _repair(self, rule: NamedRule) -> Repair:
        changed = _changed(self.tokenizer.rule, rule.rule)
        return Repair(
            kind="split_rule",
            words=f"the text split by another rule before the same vocabulary ({rule.words})",
            place=f"tokenizer.json, {' and '.join(changed)}",
            remedy=_REMEDY_OF_FILE if rule.rule == self.tokenizer.rule_in_file else _remedy(changed),
            change=no_change,
            encode=lambda text: self._under(rule.rule).encode(text),
            sharp=True,
            further=lambda: self.repairs(_further(self.tokenizer.rule, rule), rule.rule),
            null=lambda seed: _at_random(self.tokenizer, seed),
        )


_REMEDY_OF_FILE = (
    "The file is right, and AutoTokenizer makes another tokenizer of it. Name the file itself ([model] tokenizer); in "
    "your own code load it by PreTrainedTokenizerFast.from_pretrained."
)


def _remedy(changed: dict[str, dict[str, Any] | None]) -> str:
    said = ", ".join(f'"{key}": {json.dumps(value)}' for key, value in changed.items())
    return f"Save the tokenizer of training with the checkpoint and load it. In tokenizer.json it has {said}."


def _changed(own: SplitRule, other: SplitRule) -> dict[str, dict[str, Any] | None]:
    """The keys of ``tokenizer.json`` that differ, with what ``other`` has there."""
    keys = ("normalizer", "pre_tokenizer")
    return {key: getattr(other, key) for key in keys if getattr(own, key) != getattr(other, key)}


def _further(own: SplitRule, best: NamedRule) -> Iterator[NamedRule]:
    """The best rule with one thing more: a space before each text, and other characters."""
    spaced = with_space_before(best.rule)
    if spaced is not None:
        yield NamedRule(f"{best.words}, the other `add_prefix_space`", spaced)
    if best.rule.pre_tokenizer != own.pre_tokenizer:
        for other in normalised_otherwise(best.rule):
            yield NamedRule(f"{best.words}, {other.words}", other.rule)


def _at_random(tokenizer: Tokenizer, seed: int) -> Repair:
    """The same texts in tokens that no rule makes: each is cut at random, and the pieces are encoded by themselves."""
    return Repair(
        kind="split_rule",
        words="the text split at random",
        place="",
        remedy="",
        change=no_change,
        encode=_cut_at_random(tokenizer, seed),
    )


def _cut_at_random(tokenizer: Tokenizer, seed: int) -> Callable[[str], list[int]]:
    def encode(text: str) -> list[int]:
        rng = Random(f"{seed} {text}")  # noqa: S311 - no secret
        places = [0, *(i for i in range(1, len(text)) if rng.random() < CUTS), len(text)]
        return [token_id for i, j in pairwise(places) for token_id in tokenizer.encode(text[i:j])]

    return encode
