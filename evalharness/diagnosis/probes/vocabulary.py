"""Whether tokenizer and model use the same ids: their range, text to ids and back, embeddings never trained."""

from __future__ import annotations

import unicodedata
from collections import Counter
from typing import TYPE_CHECKING

import torch

from evalharness.diagnosis.data.spread import evenly
from evalharness.diagnosis.data.training_batch import IGNORED
from evalharness.diagnosis.probe import MODULE, Probe
from evalharness.diagnosis.trials.real_inputs import real_inputs, spelled
from evalharness.models.log_softmax import in_chunks
from evalharness.records import Finding, NotTestable, RuledOut
from evalharness.statistics import mean_over_rows, wilson
from evalharness.statistics.plurals import counted

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from evalharness.diagnosis.measured import Measured
    from evalharness.diagnosis.subject import Subject
    from evalharness.records import Outcome

NAME = "vocabulary"
TEXTS = 256
"""Texts whose way to ids and back is tried."""
MANY = 0.05
"""Text that does not come back is a cause where more than this share of the texts is hurt for certain; fewer hold some
rare character, and are a note."""
SMALL_NORM = 0.1
"""A row of the embedding whose norm is below this share of the median was hardly ever trained: an optimizer that
decays weights shrinks what gets no gradient, and rows that were added for shape's sake are zero."""
FEW_ROWS = 0.01
"""Rows that are small are named from this share of the vocabulary on, or where real inputs use one: one row of zeros
for the padding is in sound models."""
MOST_ROWS = 0.5
"""A token that stands in more than half of the rows is part of their form."""
ROWS = 16
MASS = 0.01
"""Probability on ids without a token is named from here on, certainly (over rows)."""


def vocabulary(measured: Measured) -> tuple[Outcome, ...]:
    """Ask the questions of the catalogue. Costs ``ROWS + 1`` forwards of one row."""
    subject = measured.subject
    asked = (_range(subject), _unspelled(subject), _round_trip(subject), _small_rows(subject), _mass(subject))
    return tuple(outcome for outcome in asked if outcome is not None)


def _range(subject: Subject) -> Outcome:
    """Whether every id of the tokenizer, and every id of the data, has a row in the model."""
    size, rows = subject.tokenizer.vocab_size, _rows_of(subject)
    ids = {i for split in (subject.train, subject.validation) if split for row in split.encoded for i in row.ids}
    highest, lowest = max(ids, default=0), min(ids, default=0)
    evidence = {"tokens": size, "rows": rows, "highest_id_of_data": highest}
    if size <= rows and highest < rows and lowest >= 0:
        claim = (
            f"Every token id has an embedding: the tokenizer's {size} tokens and the data's highest id, {highest}, fit "
            f"the model's {counted(rows, 'row')}."
        )
        return RuledOut(NAME, claim, evidence)
    claim = (
        f"Ids are out of range: the tokenizer has {size} tokens and the data ids up to {highest}, "
        f"the model {counted(rows, 'row')}."
    )
    remedy = "Take the tokenizer that the model was trained with, or enlarge the embedding and train the new rows."
    return Finding(NAME, "cause", claim, evidence, remedy)


def _rows_of(subject: Subject) -> int:
    """Rows of the output, or of the embedding where that has fewer."""
    embedding = _embedding(subject)
    rows = subject.torch_model.vocabulary_rows
    return rows if embedding is None else min(rows, len(embedding))


def _unspelled(subject: Subject) -> Outcome | None:
    """Rows of the data that the tokenizer can't spell: training lost them, or made unknown tokens of their words.

    Problems are not counted: that a model of another alphabet can't read them is no fault of its training.
    """
    rows = [row.prompt + row.completion for split in (subject.train, subject.validation) if split for row in split.rows]
    texts = evenly(rows, TEXTS)
    unknown = [text for text in texts if spelled(subject.tokenizer, text) is None]
    if not unknown or (share := wilson(len(unknown), len(texts))).low <= MANY:
        return None
    claim = (
        f"The tokenizer can't spell the data: {len(unknown)} of {counted(len(texts), 'row')} ({share.estimate:.0%} "
        f"[{100 * share.low:.1f}, {100 * share.high:.1f}]) have text that none of its {subject.tokenizer.vocab_size} "
        "tokens stands for. Training loses it, or makes it the unknown token."
    )
    remedy = "Take the tokenizer of this data, or train with one that spells every text (byte-level)."
    evidence = {"rows": len(texts), "rows_unspelled": len(unknown), "share_low": share.low, "share_high": share.high}
    return Finding(NAME, "cause", claim, evidence, remedy)


def _round_trip(subject: Subject) -> Outcome:
    """Whether texts come back from their ids as they were."""
    texts = [text for text in _texts(subject) if text]
    ids = [(text, spelled(subject.tokenizer, text)) for text in texts]
    tried = [(text, encoded) for text, encoded in ids if encoded is not None]
    if not tried:
        return NotTestable(NAME, "no_data", "there is no text to encode and decode")
    lost = [(text, back) for text, encoded in tried if not _same(text, back := subject.tokenizer.decode(encoded))]
    share = wilson(len(lost), len(tried))
    evidence: dict[str, float | str] = {
        "texts": len(tried),
        "texts_hurt": len(lost),
        "unspelled": len(ids) - len(tried),
    }
    evidence |= {"share_low": share.low, "share_high": share.high}
    figures = (
        f"{len(lost)} of {counted(len(tried), 'text')} ({100 * share.estimate:.0f} % [{100 * share.low:.1f}, "
        f"{100 * share.high:.1f}])"
    )
    if not lost:
        return RuledOut(NAME, f"Text is the same after encoding and decoding: {figures} are changed.", evidence)
    was, became = _first_difference(*lost[0])
    claim = (
        f"Text is not the same after encoding and decoding: {figures} are changed; in the first, {was!r} became "
        f"{became!r}."
    )
    remedy = (
        "Use a tokenizer that keeps every character (byte-level, no normalizer, clean_up_tokenization_spaces=False): "
        "the model never sees what is lost, and can't write it."
    )
    return Finding(
        NAME, "cause" if share.low > MANY else "note", claim, evidence | {"was": was, "became": became}, remedy
    )


def _texts(subject: Subject) -> list[str]:
    rows = [row for split in (subject.validation, subject.train) if split for row in split.rows]
    texts = [part for row in rows for part in (row.prompt, row.completion)]
    texts += [part for problem in subject.problems for part in (problem.prompt, problem.canonical_solution)]
    return texts if len(texts) <= TEXTS else [texts[i * len(texts) // TEXTS] for i in range(TEXTS)]


def _same(text: str, back: str) -> bool:
    """A space before the text, and how a character is composed, are no loss."""
    return back in {text, " " + text} or unicodedata.normalize("NFKC", back) == unicodedata.normalize("NFKC", text)


def _first_difference(text: str, back: str) -> tuple[str, str]:
    """Both texts around the place where they part; a space that was put before the whole text is none."""
    back = back if text.startswith(" ") else back.removeprefix(" ")
    place = next((i for i, (a, b) in enumerate(zip(text, back, strict=False)) if a != b), min(len(text), len(back)))
    shown = slice(max(0, place - 8), place + 16)
    return text[shown], back[shown]


def _small_rows(subject: Subject) -> Outcome | None:
    """Rows of the embedding that were hardly trained, and whether real inputs use them."""
    embedding = _embedding(subject)
    if embedding is None:
        return None
    norms = embedding.norm(dim=-1)
    median = float(norms.median())
    held_out = set(subject.held_out_ids)
    small = {i for i in torch.nonzero(norms < SMALL_NORM * median).flatten().tolist() if i not in held_out}
    inputs = real_inputs(subject)
    used = {i for row in inputs for i in row} & small
    evidence = {"rows": len(norms), "small_rows": len(small), "used_small_rows": len(used), "median_norm": median}
    if not used and len(small) <= max(1, FEW_ROWS * len(norms)):
        claim = (
            f"No row of the embedding in use looks untrained: {len(small)} of {len(norms)} have a norm below a "
            f"tenth of the median ({median:.3g}), and none of {len(inputs)} real inputs uses one."
        )
        return RuledOut(NAME, claim, evidence)
    claim = (
        f"{len(small)} of {counted(len(norms), 'row')} of the embedding were hardly trained (norm below a tenth "
        f"of the median, "
        f"{median:.3g}); real inputs use {len(used)} of them."
    )
    if unlearned := _never_learned_to_write(subject, used, inputs):
        return _in_most_rows(subject, unlearned, claim, evidence)
    return Finding(NAME, "note", claim, evidence, "Train these tokens, or take a tokenizer that does not use them.")


def _never_learned_to_write(subject: Subject, ids: set[int], inputs: Sequence[tuple[int, ...]]) -> list[int]:
    """Those that stand behind the first token of most inputs, and whose row of the head is as small."""
    head = _head(subject)
    if head is None:
        return []
    norms = head.norm(dim=-1)
    limit = SMALL_NORM * float(norms.median())
    holding = Counter(i for row in inputs for i in {*row[1:]} & ids)
    return sorted(i for i, rows in holding.items() if rows > MOST_ROWS * len(inputs) and float(norms[i]) < limit)


def _in_most_rows(subject: Subject, ids: Sequence[int], claim: str, evidence: dict[str, Any]) -> Finding:
    """Tokens that the form of the rows is made of, such as those around a turn, and that the model never learned."""
    words = ", ".join(repr(subject.tokenizer.decode([i])) for i in ids)
    claim += f" Most rows hold {words}, which neither the embedding nor the head has learned."
    remedy = (
        "Take a form of prompts and answers whose tokens the model knows (its own end token, marks in plain text), or "
        "train the rows of these tokens in embedding and head: with PEFT name both in modules_to_save, or the ids in "
        "trainable_token_indices."
    )
    return Finding(NAME, "contributing", claim, evidence | {"unlearned_ids": list(ids)}, remedy)


def _head(subject: Subject) -> torch.Tensor | None:
    """The weight ``(rows, width)`` of the last layer with an output for each token."""
    rows = subject.torch_model.vocabulary_rows
    parts = subject.torch_model.module.modules()
    heads = [part.weight for part in parts if isinstance(part, torch.nn.Linear) and part.out_features >= rows]
    return heads[-1].detach().float() if heads else None


def _mass(subject: Subject) -> Outcome | None:
    """The probability of ids that no token has."""
    held_out = list(subject.held_out_ids)
    inputs = evenly(real_inputs(subject), ROWS)
    if not held_out or not inputs:
        return None
    masses: dict[int, Sequence[float]] = {}
    for i, row in enumerate(inputs):
        logits = subject.torch_model.logits(torch.tensor([row], device=subject.torch_model.device))[0]
        parts = [torch.softmax(part, dim=-1)[:, held_out].sum(dim=-1) for _, part in in_chunks(logits)]
        masses[i] = torch.cat(parts).tolist()
    mass = mean_over_rows(masses, seed=subject.seed)
    evidence = {"ids": len(held_out), "mass": mass.estimate, "mass_low": mass.low, "mass_high": mass.high}
    figures = (
        f"the {counted(len(held_out), 'id without a token gets', 'ids without a token get')} "
        f"{100 * mass.estimate:.2g} % of the probability "
        f"[{100 * max(0.0, mass.low):.2g}, {100 * min(1.0, mass.high):.2g}]"
    )
    if not mass.low > MASS:
        return RuledOut(NAME, f"Ids without a token get next to no probability: {figures}.", evidence)
    remedy = "Mask these ids when generating (this harness does), and leave them out of the softmax in training."
    return Finding(NAME, "note", f"Ids without a token get probability: {figures}.", evidence, remedy)


def _embedding(subject: Subject) -> torch.Tensor | None:
    """The weight ``(rows, width)`` of the embedding that the ids go into; None where none is found."""
    model = subject.torch_model
    ids = torch.tensor([[0, 1, 0]], device=model.device)[:, : model.context_length]
    seen: list[torch.Tensor] = []

    def watch(part: torch.nn.Module, given: tuple[object, ...]) -> None:
        if given and isinstance(given[0], torch.Tensor) and torch.equal(given[0].reshape(-1).long(), ids.reshape(-1)):
            seen.append(part.weight)  # type: ignore[arg-type]

    parts = [part for part in model.module.modules() if isinstance(part, torch.nn.Embedding)]
    hooks = [part.register_forward_pre_hook(watch) for part in parts]
    try:
        model.logits(ids)
    finally:
        for hook in hooks:
            hook.remove()
    return seen[0].detach().float() if seen else None


def ids_in_range(measured: Measured) -> Outcome:
    """Whether every id of a batch has a row in the model. Nothing can be run with an id that has none."""
    batch, rows = measured.subject.training_batch, measured.subject.torch_model.vocabulary_rows
    inputs = [i for row in batch.inputs for i in row]
    targets = [t for row in batch.targets or () for t in row if t != IGNORED]
    outside = sorted({i for i in (*inputs, *targets) if not 0 <= i < rows})
    evidence = {"rows": rows, "highest_id": max((*inputs, *targets)), "ids_out_of_range": len(outside)}
    if not outside:
        claim = (
            f"Every id of the batch has an embedding: the highest is {evidence['highest_id']} of "
            f"{counted(rows, 'row')}."
        )
        return RuledOut(NAME, claim, evidence)
    listed = ", ".join(map(str, outside[:5])) + (", …" if len(outside) > 5 else "")
    claim = (
        f"Ids are out of range: {counted(len(outside), 'id of the batch has', 'ids of the batch have')} none of "
        f"the model's {counted(rows, 'row')} ({listed})."
    )
    remedy = "Build the model with as many rows as the tokenizer has ids, or take the tokenizer that belongs to it."
    return Finding(NAME, "cause", claim, evidence, remedy)


PROBE = Probe(
    name=NAME,
    question="Do tokenizer and model use the same ids?",
    run=vocabulary,
    order=150,
    not_worth_trying="Another tokenizer, or more rows of the embedding",
    at_most="cause",
    forward_passes=ROWS + 2,
    capabilities=MODULE,
    asked_of=frozenset({"checkpoint", "rows"}),
)
BATCH_PROBE = Probe(
    name=NAME,
    question="Does every id of the batch have an embedding?",
    run=ids_in_range,
    order=0,
    at_most="cause",
    forward_passes=0,
    needs=("batch",),
    capabilities=MODULE,
    ends_if_cause=True,
    asked_of=frozenset({"batch"}),
)
