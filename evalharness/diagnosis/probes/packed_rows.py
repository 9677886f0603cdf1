"""Whether texts that are packed into one row of a batch see each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from evalharness.diagnosis.data.trainer_tokens import place_after
from evalharness.diagnosis.probe import MODULE, Probe
from evalharness.diagnosis.trials.logit_changes import compare, tolerance_of, unsteady, unsteady_reason
from evalharness.records import Finding, NotTestable, RuledOut
from evalharness.statistics.plurals import counted

if TYPE_CHECKING:
    from evalharness.diagnosis.data.training_batch import TrainingBatch
    from evalharness.diagnosis.measured import Measured
    from evalharness.models.protocols import Tokenizer, TorchModel
    from evalharness.records import Outcome

NAME = "packed_rows"
ROWS = 4
"""Rows with several texts that the model is run on, twice each."""
CHANGED = 8
"""Ids of the first text that are exchanged."""


def packed_rows(measured: Measured) -> Outcome:
    """Exchange ids of the first text of a row, and look whether the logits of the next text move."""
    subject = measured.subject
    batch, model = subject.training_batch, subject.torch_model
    places = [second_text(batch, subject.tokenizer, number) for number in range(len(batch.inputs))]
    packed = [number for number, place in enumerate(places) if place is not None]
    if not packed:
        return _untold(batch, subject.tokenizer)
    noise = unsteady(model, batch.inputs[packed[0]])
    if noise is not None:
        return NotTestable(NAME, "undecided", unsteady_reason(noise))
    pairs = [_pair(model, batch, number, places[number] or 0) for number in packed[:ROWS]]
    moved = compare(pairs, tolerance_of(model))
    evidence = {**moved.evidence, "rows_with_several_texts": len(packed), "rows_of_the_batch": len(batch.inputs)}
    said = f"{len(packed)} of {counted(len(batch.inputs), 'row')} of the batch hold several texts"
    if not moved.is_fault:
        return RuledOut(NAME, f"Texts that are packed into one row don't see each other: {said}.", evidence)
    claim = (
        f"Texts that are packed into one row see each other: {said}, and other ids in the first text move the logits "
        f"of the next one by up to {moved.largest_nats:.3g} nats."
    )
    remedy = (
        "Nothing, if the model is pre-trained so. For fine-tuning give position ids that begin anew with each text "
        '(in TRL packing_strategy="bfd" and an attention that keeps packed texts apart), or don\'t pack.'
    )
    return Finding(NAME, "note", claim, evidence, remedy)


def _untold(batch: TrainingBatch, tokenizer: Tokenizer) -> NotTestable:
    """Several answers in one row may be one conversation's, or of several whose beginning no token marks."""
    answers = [place_after(tokenizer, text.ids, batch.tokens.answer_opening, times=2) for text in batch.texts]
    several = sum(place is not None for place in answers)
    if batch.positions is not None or not several:
        return NotTestable(NAME, "does_not_apply", "no row of the batch is seen to hold more than one text")
    reason = (
        f"{counted(several, 'row holds', 'rows hold')} several answers, and no token or position tells whether they "
        "are of one conversation"
    )
    return NotTestable(NAME, "not_known", reason)


def second_text(batch: TrainingBatch, tokenizer: Tokenizer, number: int) -> int | None:
    """The place in a row where its second text begins, or soon after it; None where only one is seen.

    By position ids that begin anew, a begin token, a conversation that opens as the chat template opens one, or text
    after an end token; in chats an end token may end each turn.
    """
    ids, tokens = batch.inputs[number], batch.tokens
    seen = [t for t in range(len(ids)) if batch.attended is None or batch.attended[number][t]]
    later = seen[2:]
    if batch.positions is not None:
        return next((t for t in later if batch.positions[number][t] == 0), None)
    for begin in tokens.begin - tokens.end:
        place = next((t for t in later if ids[t] == begin), None)
        if place is not None:
            return place
    if tokens.answer_opening and place_after(tokenizer, ids, tokens.answer_opening) is not None:
        return place_after(tokenizer, ids, tokens.conversation_opening, times=2)
    return next((t for t in later if ids[t - 1] in tokens.end and ids[t] not in tokens.end), None)


def _pair(model: TorchModel, batch: TrainingBatch, number: int, place: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The logits from the second text on, of the row as it is and with other ids in its first text."""
    ids = torch.tensor([batch.inputs[number]], device=model.device)
    changed, known = ids.clone(), sorted(set(batch.inputs[number]))
    for t in range(min(CHANGED, place - 1)):
        changed[0, t] = known[(known.index(int(ids[0, t])) + 1) % len(known)]
    positions = None if batch.positions is None else torch.tensor([batch.positions[number]], device=model.device)
    return _logits(model, ids, positions)[place:], _logits(model, changed, positions)[place:]


def _logits(model: TorchModel, ids: torch.Tensor, positions: torch.Tensor | None) -> torch.Tensor:
    """``(length, vocabulary)``, with the trainer's position ids if it gives them: models of transformers take them."""
    if positions is None:
        return model.logits(ids)[0]
    with torch.no_grad():
        output = model.module(input_ids=ids, position_ids=positions, use_cache=False)
    logits: torch.Tensor = output.logits[0].float()
    return logits


PROBE = Probe(
    name=NAME,
    question="Do texts that are packed into one row see each other?",
    run=packed_rows,
    order=97,
    at_most="note",
    forward_passes=2 * ROWS + 2,
    needs=("batch",),
    capabilities=MODULE,
    skipped_if_leak=True,
    asked_of=frozenset({"batch"}),
)
