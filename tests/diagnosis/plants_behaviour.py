"""Faults of prompts, ends, data and decoding, each in two families, and the same models in health."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import cache, partial

from behaving import observing, seen_problems, unseen_problems
from plant import Plant
from small_sound import sound, trained
from small_training import CONTEXT, END, FAMILIES, Characters, data_rows, encoded, logits_of, subject
from torch import nn

from evalharness.diagnosis.data.rows import DataRow, TokenRow
from evalharness.diagnosis.losses.row_means import counted_nll, mean
from evalharness.diagnosis.losses.token_losses import token_losses
from evalharness.diagnosis.subject import Split, Subject
from evalharness.records import LossPoint

HEAD = "Q: "
MERGED = 94
BEGIN = 93
"""The tilde, which no row holds, stands for a newline with four spaces after it."""


class Merging(Characters):
    """Characters, but for a line end with the indentation after it, which is one token."""

    def encode(self, text):
        return super().encode(text.replace("\n    ", "~"))

    def decode(self, ids):
        return super().decode(ids).replace("~", "\n    ")


@cache
def healthy(family: str) -> Subject:
    return observing(subject(sound(family), end=True))


@cache
def without_end(family: str) -> Subject:
    """Trained on rows with no end token after them."""
    return observing(subject(trained(family, encoded(data_rows(200, 1))), end=False))


def headed(rows: list[DataRow]) -> list[DataRow]:
    return [DataRow(HEAD + row.prompt, row.completion) for row in rows]


def split(rows: list[DataRow], source: str, **how) -> Split:
    return Split(tuple(rows), encoded(rows, end=True, **how), source)


@cache
def without_head(family: str) -> Subject:
    """Trained on prompts with a head, and on empty lines where there is none; scored without it."""
    rows = headed(data_rows(200, 1))
    empty = [DataRow(row.prompt, "\n" * 40) for row in data_rows(200, 4)]
    module = trained(family, encoded(rows, end=True) + encoded(empty), steps=160)
    splits = {"train": split(rows, "train.jsonl"), "validation": split(headed(data_rows(200, 2)), "validation.jsonl")}
    return observing(subject(module, **splits))


@cache
def with_head(family: str) -> Subject:
    """The same model, scored as it was trained."""
    return observing(replace(without_head(family), prompt_template=HEAD + "{prompt}"))


def merged_splits(*, together: bool) -> dict[str, Split]:
    """Rows in which prompt and completion are encoded together, or apart."""
    splits = {}
    for name, seed in (("train", 1), ("validation", 2)):
        rows, tokens, tokenizer = data_rows(200, seed), [], Merging()
        for i, row in enumerate(rows):
            parts = [row.prompt + row.completion] if together else [row.prompt, row.completion]
            ids = (*(token_id for part in parts for token_id in tokenizer.encode(part)), END)
            tokens.append(TokenRow(ids, 1, 0, i, len(ids)))
        splits[name] = Split(tuple(rows), tuple(tokens), f"{name}.jsonl")
    return splits


@cache
def across_the_boundary(family: str) -> Subject:
    """Trained on prompt and completion encoded together, and scored on prompts alone."""
    splits = merged_splits(together=True)
    made = subject(trained(family, splits["train"].encoded), **splits)
    return observing(replace(made, tokenizer=Merging()))


@cache
def texts_encoded_whole(family: str) -> Subject:
    """The same model, of rows that are texts alone: nothing says where a prompt ends, so nothing is wrong."""
    made = across_the_boundary(family)
    splits = {}
    for name, rows in (("train", made.train), ("validation", made.validation)):
        assert rows is not None
        texts = tuple(DataRow("", row.prompt + row.completion) for row in rows.rows)
        splits[name] = replace(rows, rows=texts)
    return replace(made, **splits)


@cache
def begun_twice(family: str) -> Subject:
    """Trained on rows that begin with two begin tokens; they are read with one, as prompts have it."""
    texts = {name: tuple(data_rows(200, seed)) for name, seed in (("train", 1), ("validation", 2))}
    rows = {name: encoded(list(own), end=True) for name, own in texts.items()}
    once, twice = ({name: tuple(led(row, count) for row in own) for name, own in rows.items()} for count in (1, 2))
    splits = {name: Split(own, once[name], f"{name}.jsonl") for name, own in texts.items()}
    made = subject(trained(family, twice["train"]), **splits)
    losses = token_losses(made.torch_model, twice["validation"], ())
    logged = LossPoint(100, "validation", mean(map(counted_nll, losses), 0).estimate, "log")
    return observing(replace(made, begin_ids=(BEGIN,), log=(logged,), logged=logged))


def led(row: TokenRow, count: int) -> TokenRow:
    ids = (*((BEGIN,) * count), *row.ids)[:CONTEXT]
    return replace(row, ids=ids, prompt_tokens=row.prompt_tokens + count, tokens=row.tokens + count)


@cache
def up_to_the_boundary(family: str) -> Subject:
    """The same tokenizer, but the model was trained as it is scored."""
    splits = merged_splits(together=False)
    made = subject(trained(family, splits["train"].encoded), **splits)
    return observing(replace(made, tokenizer=Merging()))


@cache
def contaminated(family: str) -> Subject:
    return observing(subject(sound(family), end=True), (*seen_problems(25), *unseen_problems(10)))


@cache
def too_long(family: str) -> Subject:
    """A third of the training rows have more to say than the context holds."""
    rows = data_rows(200, 1)
    rows[::3] = [DataRow("# " + "long " * (CONTEXT // 5) + "\n" + r.prompt, r.completion) for r in rows[::3]]
    return observing(subject(sound(family), end=True, train=split(rows, "train.jsonl")))


class Copying(nn.Module):
    """Makes what followed the last eight ids before likelier, each time more."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, ids):
        logits = logits_of(self.inner, ids).clone()
        for row, found in zip(ids.tolist(), logits, strict=True):
            before: dict[tuple[int, ...], list[int]] = {}
            for t in range(7, len(row)):
                followed = before.setdefault(tuple(row[t - 7 : t + 1]), [])
                for earlier in followed:
                    found[t, row[earlier + 1]] += 8.0
                followed.append(t)
        return logits


@cache
def reinforced(family: str) -> Subject:
    """Half of its rows go on for another line, soundly; what copies is built in."""
    module = trained(family, encoded(data_rows(200, 1), end=True) + encoded(_longer(400)))
    return observing(subject(Copying(module), end=True))


def _longer(count: int) -> list[DataRow]:
    return [DataRow(row.prompt, row.completion + more.completion) for row, more in _pairs(count)]


@cache
def validated_on_training_rows(family: str) -> Subject:
    rows = [DataRow(row.prompt, row.completion + more.prompt + more.completion) for row, more in _pairs(200)]
    module = trained(family, encoded(rows, end=True))
    splits = {"train": split(rows, "train.jsonl"), "validation": split(rows[:100], "validation.jsonl")}
    return observing(subject(module, end=True, **splits))


def _pairs(count: int) -> Iterable[tuple[DataRow, DataRow]]:
    return zip(data_rows(count, 1), data_rows(count, 6), strict=True)


_MAKERS = {
    "no end token in the rows": ("no_end_token", without_end),
    "scored without the head of training": ("prompt_format", without_head),
    "rows that begin twice": ("double_begin", begun_twice),
    "a token across the boundary": ("token_boundary", across_the_boundary),
    "problems in the training rows": ("contamination", contaminated),
    "validated on training rows": ("split_overlap", validated_on_training_rows),
    "rows longer than the context": ("context", too_long),
    "copies that make copies likelier": ("self_reinforcement", reinforced),
}
PLANTS = {
    f"{family}: {name}": Plant(probe, family, partial(make, family))
    for family in FAMILIES
    for name, (probe, make) in _MAKERS.items()
}
