"""Whether the logged loss counts the prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evalharness.diagnosis.data.trainer_tokens import place_after
from evalharness.diagnosis.data.training_batch import IGNORED
from evalharness.diagnosis.losses.recomputed_loss import plain, reproducing
from evalharness.diagnosis.losses.row_means import figures, shown
from evalharness.diagnosis.probe import LOGITS, Probe
from evalharness.records import Finding, NotTestable, RuledOut
from evalharness.statistics.plurals import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalharness.diagnosis.losses.recomputed_loss import Recomputed
    from evalharness.diagnosis.measured import Measured
    from evalharness.records import Outcome

NAME = "prompt_in_loss"
MOST = 0.5
"""Where prompts are left out, most texts begin with one; in fewer it is a text that was cut, or a mask of its own."""


def prompt_in_loss(measured: Measured) -> Outcome:
    """See which conventions reproduce the logged figure: those with the prompt among the targets, or those without."""
    subject = measured.subject
    if subject.logged is None:
        return NotTestable(NAME, "no_log", "no validation loss was logged for this step")
    logged = subject.logged.loss_nats
    whole, completion = (_in_the_layout(measured, prompt=prompt) for prompt in (True, False))
    if whole is None or completion is None or not whole.prompt_share:
        return NotTestable(NAME, "too_few", "too few rows with targets, or none has both a prompt and a completion")
    # Plain ones are asked first: among all the others one fits by chance.
    shown_by = measured.established.shown_by
    plain_ones = [item for item in measured.conventions if item.convention.is_plain]
    as_given = [item for item in plain_ones if item.as_given]
    fit = reproducing(as_given, logged) or reproducing(plain_ones, logged) or reproducing(measured.conventions, logged)
    if shown_by is not None and shown_by.exact and shown_by.convention.is_plain:
        fit = (shown_by,)
    with_prompt = [item for item in fit if item.convention.prompt]
    without = [item for item in fit if not item.convention.prompt]
    evidence: dict[str, Any] = {"logged_nats": logged, "prompt_share": whole.prompt_share}
    evidence |= {"reproduced_with_prompt": len(with_prompt), "reproduced_without_prompt": len(without)}
    evidence |= figures("with_prompt", whole.loss_nats) | figures("without_prompt", completion.loss_nats)
    compared = (
        f"with it the loss is {shown(whole.loss_nats)} nats, without it {shown(completion.loss_nats)}, "
        f"and {logged:.4g} was logged"
    )
    if fit and fit[0] not in plain_ones:
        compared += f" (as with {fit[0].convention.words})"
    if bool(with_prompt) == bool(without):
        either = "both with the prompt and without" if fit else "neither with the prompt nor without"
        return NotTestable(NAME, "undecided", f"the logged loss is reproduced {either}: {compared}")
    if without:
        return RuledOut(NAME, f"The prompt is not counted in the logged loss: {compared}.", evidence)
    claim = (
        f"The logged loss counts the prompt, which is {100 * whole.prompt_share:.0f} % of its targets: {compared}. "
        "The completion alone is what the model has to write."
    )
    remedy = "Log the loss of the completions alone beside it, and compare runs by that."
    return Finding(NAME, "note", claim, evidence, remedy)


def _in_the_layout(measured: Measured, *, prompt: bool) -> Recomputed | None:
    """The plain loss with the prompt, or without, in the layout that the log is of, if that is known."""
    shown_by = measured.established.shown_by
    layout = None if shown_by is None or not shown_by.convention.is_plain else shown_by.layout
    for item in measured.conventions:
        how = item.convention
        if item.layout is layout and how.is_plain and how.prompt is prompt and not how.by_row:
            return item
    return plain(measured.conventions, prompt=prompt)


def prompt_of_batch(measured: Measured) -> Outcome:
    """What share of the positions of a batch comes before the first target, which is how prompts are left out."""
    texts = measured.subject.training_batch.texts
    with_head = sum(text.masked_head > 0 for text in texts)
    if with_head < MOST * len(texts):
        return _counted_before_answers(measured) or NotTestable(NAME, "not_known", _untold(with_head, len(texts)))
    masked = sum(text.masked_head for text in texts) / sum(len(text.ids) for text in texts)
    evidence = {"texts": len(texts), "texts_with_a_masked_head": with_head, "masked": masked}
    claim = (
        f"Prompts are left out of the loss: {masked:.0%} of the positions come before the first target, in {with_head} "
        f"of {counted(len(texts), 'text')}."
    )
    return RuledOut(NAME, claim, evidence)


def _untold(with_head: int, texts: int) -> str:
    counting = "every text counts" if not with_head else f"{texts - with_head} of {counted(texts, 'text')} count"
    return f"{counting} from the first target on: a batch does not tell which part is the prompt"


def _counted_before_answers(measured: Measured) -> Finding | None:
    """What is said of rows that open an answer as the chat template does, and count what stands before it."""
    batch = measured.subject.training_batch
    tokenizer, opening, texts = measured.subject.tokenizer, batch.tokens.answer_opening, batch.texts
    answered = [(text, begin) for text in texts if (begin := place_after(tokenizer, text.ids, opening)) is not None]
    before = sum(_counting(text.targets[:begin]) for text, begin in answered)
    if not before:
        return None
    share = before / sum(_counting(text.targets) for text, _ in answered)
    evidence = {"texts": len(texts), "chats": len(answered), "prompt_share": share}
    claim = (
        f"The loss counts the prompts: in {len(answered)} of {counted(len(texts), 'text')} {share:.0%} of the targets "
        "stand before the assistant's first answer."
    )
    remedy = (
        "Nothing, if the model is to learn the users' turns too. Else mask them: in TRL assistant_only_loss=True, or "
        "data with the columns prompt and completion."
    )
    return Finding(NAME, "note", claim, evidence, remedy)


def _counting(targets: Sequence[int]) -> int:
    return sum(target != IGNORED for target in targets)


PROBE = Probe(
    name=NAME,
    question="Does the logged loss count the prompt?",
    run=prompt_in_loss,
    order=60,
    not_worth_trying="Masking the prompt in the loss",
    at_most="note",
    forward_passes=350,
    needs=("logged",),
    skipped_if_repaired=True,
    capabilities=LOGITS,
    skipped_if_leak=True,
)
BATCH_PROBE = Probe(
    name=NAME,
    question="Does the loss of this batch leave out the prompt?",
    run=prompt_of_batch,
    order=60,
    at_most="note",
    forward_passes=0,
    needs=("batch", "targets"),
    asked_of=frozenset({"batch", "rows"}),
)
