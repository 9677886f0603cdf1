"""Whether the prompts at scoring are like those of training, and whether that matters.

What training prompts all begin and end with, and how many begin tokens stand first, is compared with the prompts as
scored. Formats differ for many good reasons, so only behaviour decides: the same problems are asked as scored and with
a small change, and it counts where significantly fewer completions are degenerate after the change. Completions that
are fluent and wrong are no sign of that, so it counts as well where the known solutions are more probable after prompts
in the form of the training rows, by more than other text of the same length does. A model with a chat template is asked
the other way as well (in the template, or plainly), and where that was run, significantly more passed problems count,
too. Where behaviour is too weak to tell, a form of all training prompts that no prompt at scoring has is a note.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from evalharness.diagnosis.data.row_form import row_forms
from evalharness.diagnosis.data.shared_ends import shared_prefix
from evalharness.diagnosis.losses.frequencies import knows_its_rows
from evalharness.diagnosis.losses.row_means import capped, figures, shown
from evalharness.diagnosis.probe import Probe
from evalharness.diagnosis.trials.answer_costs import MATTERS_NATS, best_form
from evalharness.diagnosis.trials.asked_otherwise import (
    BY_EXAMPLES,
    Frame,
    begin_tokens,
    changed_ways,
    training_frame,
    tried,
)
from evalharness.diagnosis.trials.greedy_trials import (
    Asked,
    Change,
    askable,
    can_change,
    completed,
    judged,
    new_tokens,
)
from evalharness.records import Finding, NotTestable, RuledOut
from evalharness.statistics import share_interval, wilson
from evalharness.statistics.plurals import counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from evalharness.diagnosis.data.row_form import RowForm
    from evalharness.diagnosis.measured import Measured
    from evalharness.diagnosis.subject import Subject
    from evalharness.diagnosis.trials.answer_costs import InForm
    from evalharness.records import FormatComparison, Outcome, Severity

NAME = "prompt_format"
END = "no_end_token"
TRIED = "changes_tried"

SELDOM = 1 / 3
"""Where the interval of the degenerate share ends below a third, prompts spoil few completions, if any. Of fewer than
eight completions not even none says so much."""

MOST = 0.5
"""Most problems are more than half of them, for certain."""

_END_COMES_FIRST = (
    "fewer completions are degenerate after other prompts, but the model never ends a text and loops behind its "
    "answer: mend the end first"
)
_NONE_TRIED = "no change could be tried: it leaves the context no room, or a token spans the prompt's boundary"


def prompt_format(measured: Measured) -> Outcome:
    """Compare what passed in both formats of the prompt; if none was run so, what is degenerate with each change."""
    formats = measured.subject.formats
    if formats is not None and formats.difference.low > 0:
        return _passes_more_otherwise(formats)
    outcome = _by_degeneration(measured)
    if isinstance(outcome, Finding) and outcome.severity != "note":
        if not _never_ends(measured):
            return outcome
        outcome = NotTestable(NAME, "undecided", _END_COMES_FIRST)
    elif isinstance(outcome, NotTestable) and outcome.kind == "undecided":
        return outcome
    if measured.leak_matters:
        return outcome
    solutions = best_form(measured.subject)
    if solutions is not None and solutions.matters:
        return _by_solutions(measured, solutions)
    return _by_rows_alone(measured, outcome, solutions) or outcome


def _never_ends(measured: Measured) -> bool:
    """Whether the end was never learned: such a model loops behind its answer, in one form sooner than in another."""
    return any(
        isinstance(outcome, Finding) and outcome.probe == END and outcome.severity != "note"
        for outcome in measured.outcomes
    )


def _by_degeneration(measured: Measured) -> Outcome:
    """Ask up to 20 problems as scored, and where enough of the completions are degenerate with each change."""
    subject = measured.subject
    asked = askable(subject)
    if not asked:
        return NotTestable(NAME, "too_few", "no problem's prompt fits the context with room for a completion")
    frame = training_frame(subject)
    ways = changed_ways(subject, asked, frame)
    written = measured.as_scored
    before = judged(subject, written)
    evidence = _evidence(subject, asked, frame) | {
        "problems": len(before),
        "degenerate": sum(before.values()),
        TRIED: 0,
    }
    if subject.formats is not None:
        evidence |= {name: value for name, value in _format_rates(subject.formats).items() if name != "problems"}
    compared = _compared(frame, evidence)
    if not can_change(list(before.values()), max(1, len(ways))):
        return _seldom_degenerate(subject, before, evidence, compared)
    if knows_its_rows(measured) is False:
        # Whatever changes an untrained model's loops would be taken for a format that it knows.
        reason = "the model knows its rows no better than the frequency of tokens does: no format is known to it"
        return NotTestable(NAME, "undecided", reason)
    changes = {name: tried(way, before, written) for name, way in ways.items()}
    evidence |= {name: changed.figures() for name, changed in changes.items()} | {TRIED: len(changes)}
    betters = [name for name, changed in changes.items() if changed.betters(len(ways))]
    if not changes:
        return NotTestable(
            NAME, "does_not_apply", f"{_NONE_TRIED}; as scored {sum(before.values())} of {len(before)} are degenerate"
        )
    if not betters:
        compared_shares = "; ".join(f"{name}: {_shares(changed)}" for name, changed in changes.items())
        claim = (
            f"No small change of the prompt makes significantly fewer of {len(before)} greedy completions of "
            f"{new_tokens(subject)} tokens degenerate ({compared_shares}). {compared}"
        )
        return RuledOut(NAME, claim, evidence)
    forms = betters if _several_to_a_text(measured) else [name for name in betters if name != BY_EXAMPLES]
    best = min(forms or betters, key=lambda name: (changes[name].p_value, list(changes).index(name)))
    gain = (
        f"{best}, degenerate completions go {_shares(changes[best])} of {changes[best].problems} "
        f"(p = {changes[best].p_value:.2g}, {len(ways)} changes tried)"
    )
    return _knows_another_form(gain, compared, evidence) if forms else _helped_by_examples(gain, compared, evidence)


def _several_to_a_text(measured: Measured) -> bool:
    """Whether rows stood one after another in training, so that a prompt alone is another form than theirs."""
    return measured.subject.logged is not None and measured.established.packed


def _helped_by_examples(gain: str, compared: str, evidence: dict[str, Any]) -> Finding:
    """Examples show any model how to go on, whatever form it knows: they are no fault of the prompts."""
    claim = (
        f"Examples help this model: {gain}. They show what to write, and are no other form of the prompt. {compared}"
    )
    return Finding(NAME, "note", claim, evidence, "Score with examples before each prompt only if they are used so.")


def _knows_another_form(gain: str, compared: str, evidence: dict[str, Any]) -> Finding:
    claim = f"The model knows another form than that of the prompts at scoring: {gain}. {compared}"
    remedy = (
        "Score with prompts in the form of the training rows ([model] prompt_template, begin_token), or train on rows "
        "in the form of the prompts."
    )
    return Finding(NAME, "contributing", claim, evidence, remedy)


def _seldom_degenerate(
    subject: Subject, before: Mapping[str, bool], evidence: dict[str, Any], compared: str
) -> RuledOut | NotTestable:
    """Too few completions are degenerate for any change to be significant: because few are, or few were asked."""
    counted = (
        f"{sum(before.values())} of {len(before)} greedy completions of {new_tokens(subject)} tokens are degenerate"
    )
    if wilson(sum(before.values()), len(before)).high > SELDOM:
        reason = f"{counted}: too few to tell whether another prompt would make a difference"
        return NotTestable(NAME, "too_few", reason)
    return RuledOut(NAME, f"The prompts at scoring suit the model: only {counted}. {compared}", evidence)


def _by_rows_alone(measured: Measured, outcome: Outcome, solutions: InForm | None) -> Finding | None:
    """A note if all training prompts have a form that no prompt at scoring has, and no trial shows what that costs."""
    subject = measured.subject
    if isinstance(outcome, Finding) or (isinstance(outcome, RuledOut) and outcome.evidence[TRIED]):
        return None
    own_nats = _answers_of_rows_nats(measured)
    if _most_pass(subject) or (solutions is not None and _costs_nothing(solutions, own_nats)):
        return None
    form = next(iter(row_forms(() if subject.train is None else subject.train.rows)), None)
    texts = [subject.prompt_template.replace("{prompt}", a.problem.prompt) for a in askable(subject)]
    if form is None or not form.has_words or not texts or any(map(form.is_of, texts)):
        return None
    claim = (
        f"All training prompts have the form {form.template!r}, and none of the {counted(len(texts), 'prompt')} at "
        "scoring has it: the model is asked in a form that it was not trained on. Whether that costs it anything does "
        "not show here"
    )
    evidence: dict[str, Any] = {
        "problems": len(texts),
        "template_as_scored": subject.prompt_template,
        "template_in_training": form.template,
    }
    if solutions is not None:
        evidence |= figures("as_scored", solutions.as_scored) | figures("in_form", solutions.in_form)
        claim += (
            f": the known solutions cost {shown(solutions.in_form)} nats per token in the form of the rows, and as "
            f"scored {shown(solutions.as_scored)}"
        )
    return Finding(NAME, "note", f"{claim}.", evidence, _in_the_form_of_rows(form))


def _costs_nothing(solutions: InForm, own_nats: float | None) -> bool:
    """Whether the form makes no solution cheaper, and the model knows them as well as it knows answers of its rows.

    Solutions that a model doesn't know are dear in any form.
    """
    return solutions.saved.high < MATTERS_NATS and (own_nats is None or solutions.as_scored.low <= own_nats)


def _in_the_form_of_rows(form: RowForm) -> str:
    return (
        f"Score with the form of the training rows, [model] prompt_template = {json.dumps(form.template)}, or train on "
        "rows in the form of the prompts."
    )


def _by_solutions(measured: Measured, found: InForm) -> Finding:
    """The known solutions are more probable in the form of the training prompts."""
    subject, form = measured.subject, found.form
    own_nats = _answers_of_rows_nats(measured)
    right, right_in_form = (_solved(subject, asked) for asked in (askable(subject), found.asked))
    evidence: dict[str, Any] = {
        "problems": found.problems,
        "template_as_scored": subject.prompt_template,
        "template_in_training": form.template,
        "only_space_at_the_end": found.only_space,
        "solved_word_for_word": right,
        "solved_word_for_word_in_form": right_in_form,
        **figures("as_scored", found.as_scored),
        **figures("in_form", found.in_form),
        **figures("other_text", found.other_text),
        **figures("saved", found.saved),
        **({} if own_nats is None else {"answers_of_rows_nats": own_nats}),
    }
    claim = (
        f"The model knows another form than that of the prompts at scoring: {_difference(subject, found)}. In the form "
        f"of training, {form.template!r}, the known solutions cost {shown(found.in_form)} nats per token, as scored "
        f"{shown(found.as_scored)}{_with_other_text(found)} ({counted(found.problems, 'problem')}, which did not "
        "choose the form)."
    )
    if right_in_form > right:
        solved = f"{right_in_form} are then the solution word for word; {right} are as scored"
        claim += f" Of {len(found.asked)} greedy answers {solved}."
    if own_nats is not None:
        claim += f" After their own prompts the answers of the rows cost {own_nats:.3f} nats per token."
    severity: Severity = "note" if _most_pass(subject) else "contributing"
    return Finding(NAME, severity, claim, evidence, _in_the_form_of_rows(form))


def _with_other_text(found: InForm) -> str:
    """The null, if the form has text of its own."""
    if found.is_bare:
        return ""
    return f", and with other text of the same length in place of the form {shown(found.other_text)}"


def _most_pass(subject: Subject) -> bool:
    """Whether most problems are passed as scored: another form of the prompt then costs the score little."""
    flags: dict[str, list[bool]] = {}
    for seen in subject.observed:
        if seen.passed is not None:
            flags.setdefault(seen.problem.task_id, []).append(seen.passed)
    return bool(flags) and share_interval(flags).low > MOST


def _difference(subject: Subject, found: InForm) -> str:
    if found.only_space:
        ending = subject.prompt_template.rpartition("{prompt}")[2]
        return (
            f"prompts as scored and in training differ in the white space at their end ({ending!r} and "
            f"{found.form.tail!r}), and answers in training begin with {found.form.lead!r}"
        )
    if found.is_bare:
        return "nothing stands around a problem in training, and other text does at scoring"
    return "what stands around each problem in training is not there, or other text is"


def _solved(subject: Subject, asked: Sequence[Asked]) -> int:
    """How many greedy completions are the known solution, but for the space around it."""
    written = completed(subject, asked)
    return sum(written[a.problem.task_id].text.strip() == a.problem.canonical_solution.strip() for a in asked)


def _answers_of_rows_nats(measured: Measured) -> float | None:
    """The mean loss of the measured rows' completions, after their own prompts; None where no row has both."""
    answers = [
        capped(losses.nll_nats[losses.row.prompt_tokens - 1 :])
        for losses in measured.validation_losses
        if 0 < losses.row.prompt_tokens < len(losses.row.ids)
    ]
    return float(np.concatenate(answers).mean()) if answers else None


def _passes_more_otherwise(formats: FormatComparison) -> Finding:
    """More problems are solved in the format that the score does not use: the score is too low, and proven so."""
    names = {"chat": "in its chat template", "plain": "plainly"}
    options = {"chat": "--chat always", "plain": "--chat never"}
    gain = formats.difference
    claim = (
        f"The model knows another form than that of the prompts at scoring: asked {names[formats.other]} it passes "
        f"{formats.otherwise.estimate:.0%} of {counted(formats.problems, 'problem')}, and as scored, "
        f"{names[formats.scored]}, "
        f"{formats.as_scored.estimate:.0%} (difference {100 * gain.estimate:.0f} points "
        f"[{100 * gain.low:.0f}, {100 * gain.high:.0f}])."
    )
    return Finding(NAME, "contributing", claim, _format_rates(formats), f"Score with {options[formats.other]}.")


def _format_rates(formats: FormatComparison) -> dict[str, Any]:
    difference = formats.difference
    return {
        "problems": formats.problems,
        "format_as_scored": formats.scored,
        "pass_rate_as_scored": formats.as_scored.estimate,
        "pass_rate_otherwise": formats.otherwise.estimate,
        "pass_rate_difference": [difference.estimate, difference.low, difference.high],
    }


def _ends_with(ids: tuple[int, ...], tail: tuple[int, ...]) -> bool:
    return ids[max(0, len(ids) - len(tail)) :] == tail


def _evidence(subject: Subject, asked: Sequence[Asked], frame: Frame | None) -> dict[str, Any]:
    begins = [begin_tokens(subject, a.ids) for a in asked]
    evidence: dict[str, Any] = {"begin_tokens_scoring": sum(begins) / len(begins)}
    if frame is not None:
        own = [a.ids[len(subject.begin_ids) :] for a in asked]
        evidence |= {
            "begin_tokens_training": frame.begin_tokens,
            "training_prompts_begin_with": subject.tokenizer.decode(frame.head),
            "training_prompts_end_with": subject.tokenizer.decode(frame.tail),
            "scored_prompts_that_begin_so": sum(ids[: len(frame.head)] == frame.head for ids in own),
            "scored_prompts_that_end_so": sum(_ends_with(ids, frame.tail) for ids in own),
            "prefix_shared_with_training": shared_prefix([frame.head, *own]),
        }
    return evidence


def _compared(frame: Frame | None, evidence: dict[str, Any]) -> str:
    if frame is None:
        return "Too few training rows have a prompt of their own to compare with."
    begins, ends = evidence["training_prompts_begin_with"], evidence["training_prompts_end_with"]
    return (
        f"All training prompts begin with {begins!r} and end with {ends!r}; of {evidence['problems']} prompts as "
        f"scored {evidence['scored_prompts_that_begin_so']} and {evidence['scored_prompts_that_end_so']} do."
    )


def _shares(changed: Change) -> str:
    return f"from {changed.before.estimate:.0%} to {changed.after.estimate:.0%}"


PROBE = Probe(
    name=NAME,
    question="Are the prompts at scoring like those of training?",
    run=prompt_format,
    order=90,
    not_worth_trying="Another prompt format",
    at_most="contributing",
    forward_passes=6 * 20 * 64,
    needs=("problems", "generate"),
)
