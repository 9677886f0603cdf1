"""The tables of a report, each from the records that it shows, as Markdown."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from evalharness.degeneration import is_too_early_to_tell
from evalharness.records import Verdict
from evalharness.report.numbers import (
    DECODINGS,
    counted,
    degeneration_interval,
    kinds_by_count,
    loss_meaning_of,
    loss_relation,
    nats,
    nats_bounds,
    nats_interval,
    no_cause_in_words,
    number,
    of_all,
    percent,
    percent_bounds,
    percent_interval,
    was_diagnosed,
    was_seen,
)
from evalharness.report.writers.escaping import code_cell, prose, shortened, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from evalharness.records import Interval, IsolationInfo, Loss, Programs, Protocol, Scorecard

MAX_VALUE = 400
_MEANING = {
    "agree": "The recomputed and the honest loss agree within their intervals.",
    "misleads": (
        "Both are over the same targets, so they would be equal if the model saw only what is before a target. "
        "Whatever lies between them was read from the input and says nothing of what the model can write."
    ),
    "differ": (
        "Both are over the same targets, so they would be equal if a target's prediction depended on nothing but the "
        "tokens before it. Here it depends on what stands after it, or on how the rows are put together."
    ),
    "not_measured": "Without an honest loss and its interval nothing can be said of what the logged loss means.",
}


def headline(scorecard: Scorecard) -> list[str]:
    """Return the lines of the verdict: its reason, what the model does, what its loss is worth, and why."""
    return [
        f"{verdict_in_words(scorecard, scorecard.verdict.upper())}.",
        f"**Behaviour**: {_behaviour_in_words(scorecard)}",
        f"**Loss**: {_losses_in_words(scorecard)}",
        _cause_in_words(scorecard),
    ]


def summary(scorecard: Scorecard) -> str:
    """Return the table of what was scored and what came of it."""
    checkpoint, loss = scorecard.checkpoint, scorecard.loss
    rows = [
        ["Checkpoint", code_cell(checkpoint.path)],
        ["Step", "not recorded" if checkpoint.step is None else f"{checkpoint.step:,}"],
        ["Parameters", number(checkpoint.parameters)],
        ["Kind", prose(checkpoint.kind)],
        ["Logged loss", "not recorded" if loss.logged_nats is None else f"{nats(loss.logged_nats)} nats"],
        ["Honest loss", "not measured" if loss.honest_nats is None else f"{nats_interval(loss.honest_nats)} nats"],
        *(
            [f"{prose(name)}, {decoding}, pass@{k}", percent_interval(share)]
            for name, decoding, k, share in _shares(scorecard)
        ),
        *(
            [f"Degenerate, {decoding}", percent_interval(degeneration_interval(rate))]
            for decoding in DECODINGS
            if (rate := scorecard.degeneration.get(decoding)) is not None
        ),
        ["Verdict", verdict_in_words(scorecard, scorecard.verdict)],
    ]
    return table(["", "Measured"], rows)


def losses(loss: Loss) -> str:
    """Return the table of the three losses."""
    source = "no loss was found" if loss.logged_source is None else f"as written in {prose(loss.logged_source)}"
    rows = [
        ["logged", "–" if loss.logged_nats is None else nats(loss.logged_nats), "", source],
        ["recomputed", *_loss_cells(loss.recomputed_nats), "one pass over each row, as a training loop does it"],
        ["honest", *_loss_cells(loss.honest_nats), "each target from the tokens before it alone"],
    ]
    return table(["Loss", "Nats a token", "95 % interval", "What it is"], rows, frozenset({1}))


def loss_meaning(scorecard: Scorecard) -> str:
    """Return what the losses say of each other, and over which targets they are."""
    loss = scorecard.loss
    if not was_seen(scorecard):
        return loss_meaning_of(scorecard)
    convention = f"Convention of the recomputed and the honest loss: {prose(loss.convention)}."
    return f"{_MEANING[loss_relation(loss)]}\n\n{convention}"


def pass_at_k(scorecard: Scorecard) -> str:
    """Return the table of pass@k, one row for each problem set, decoding and k."""
    rows = [
        [prose(name), decoding, k, percent(share.estimate), percent_bounds(share), passed]
        for name, decoding, k, share in _shares(scorecard)
        for passed in [of_all(scorecard.outcomes.get(name, {}).get(decoding, {}))]
    ]
    header = ["Problems", "Decoding", "k", "pass@k", "95 % interval", "Completions that pass"]
    return table(header, rows, frozenset({2, 3, 4, 5})) if rows else "Nothing was scored."


def outcomes(scorecard: Scorecard) -> str:
    """Return the table of how the completions ended; verdicts that no completion has are left out."""
    counted = [
        (info.name, decoding, counts)
        for info in scorecard.protocol.problems
        for decoding in DECODINGS
        if (counts := scorecard.outcomes.get(info.name, {}).get(decoding))
    ]
    verdicts = [v for v in Verdict if any(counts.get(v) for _, _, counts in counted)]
    rows = [
        [prose(name), decoding, *(f"{counts.get(v, 0):,}" for v in verdicts), f"{sum(counts.values()):,}"]
        for name, decoding, counts in counted
    ]
    header = ["Problems", "Decoding", *(v.replace("_", " ") for v in verdicts), "all"]
    return table(header, rows, frozenset(range(2, len(header)))) if rows else ""


def outcome_notes(scorecard: Scorecard) -> str:
    """Return what has to be said of the verdicts that are no fault of a program, or nothing."""
    present = {v for sets in scorecard.outcomes.values() for counts in sets.values() for v, n in counts.items() if n}
    notes = [
        "A prompt that did not fit the context was never cut: it counts as not passed."
        if Verdict.PROMPT_TOO_LONG in present
        else "",
        "A prompt with characters that the vocabulary lacks counts as not passed."
        if Verdict.PROMPT_NOT_ENCODABLE in present
        else "",
        "What the harness could not judge counts neither as passed nor as failed, and the score is incomplete."
        if Verdict.NOT_JUDGED in present
        else "",
    ]
    return " ".join(note for note in notes if note)


def evidence(measured: Mapping[str, Any]) -> str:
    """Return the table of what a probe measured, or nothing where it gives no figures."""
    rows = [[code_cell(key), _value(value)] for key, value in measured.items()]
    return table(["Measured", "Value"], rows, frozenset({1})) if rows else ""


def protocol(settings: Protocol, programs: Programs) -> str:
    """Return the table of everything that was held fixed, and what was run under it."""
    sets = [
        [f"Problems: {prose(info.name)}", f"{info.problems:,}, digest {code_cell(info.digest)}"]
        for info in settings.problems
    ]
    rows = [
        *sets,
        ["Completions a problem", f"1 greedy, {settings.samples} sampled"],
        ["Temperature", "not recorded" if settings.temperature is None else f"{settings.temperature:g}"],
        ["Top-p, top-k", f"{settings.top_p:g}, {_top_k(settings.top_k)}"],
        ["Seed", str(settings.seed)],
        ["New tokens at most", number(settings.max_new_tokens)],
        ["Loops stopped early", _yes(settings.stop_loops)],
        ["Attention", settings.attention.replace("_", " ")],
        ["Rows at exact lengths", _yes(settings.exact_lengths)],
        ["Device, dtype", f"{code_cell(settings.device)}, {code_cell(settings.dtype)}"],
        ["Isolation of programs", prose(str(settings.isolation)) if settings.isolation else "not run"],
        ["What the isolation lacks", _lacks(settings.isolation)],
        ["Packages that programs may import", prose(", ".join(settings.packages)) or "none"],
        *([prose(name.replace("_", " ").capitalize()), _setting(value)] for name, value in settings.settings.items()),
        ["Programs run", f"{programs.completions:,} completions, {programs.distinct:,} different programs"],
        ["CPU time allowed", f"{programs.cpu_limit_s:g} s a program, calibrated on this machine"],
        *([f"Version of {prose(name)}", prose(version)] for name, version in sorted(settings.versions.items())),
    ]
    return table(["Setting", "Value"], rows)


def _lacks(isolation: IsolationInfo | None) -> str:
    return prose("; ".join(isolation.lacks)) if isolation and isolation.lacks else "nothing that is known"


def _shares(scorecard: Scorecard) -> Iterator[tuple[str, str, str, Interval]]:
    """``(problem set, decoding, k, share)`` in the order of the protocol."""
    for info in scorecard.protocol.problems:
        for decoding in DECODINGS:
            by_k = scorecard.pass_at_k.get(info.name, {}).get(decoding, {})
            for k in sorted(by_k, key=int):
                yield info.name, decoding, k, by_k[k]


def verdict_in_words(scorecard: Scorecard, named: str, where: str = "") -> str:
    """Return the verdict, with how much it is worth where the completions are too few for more, and its reason."""
    shown = f"**{named}{as_far_as(scorecard)}**{where}"
    return f"{shown}: {prose(scorecard.verdict_reason)}" if scorecard.verdict_reason.strip() else shown


def as_far_as(scorecard: Scorecard) -> str:
    """Return ``", as far as 15 sampled completions tell"`` where they can't rule a collapse out; else nothing."""
    if not is_too_early_to_tell(scorecard):
        return ""
    decoding = next((d for d in reversed(DECODINGS) if d in scorecard.degeneration), None)
    if decoding is None:
        return ", as far as no completion tells"
    count = scorecard.degeneration[decoding].completions
    return f", as far as {counted(count, f'{decoding} completion')} {'tells' if count == 1 else 'tell'}"


def _behaviour_in_words(scorecard: Scorecard) -> str:
    parts = []
    for decoding in reversed(DECODINGS):
        rate = scorecard.degeneration.get(decoding)
        if rate is not None:
            kinds = kinds_by_count(rate)
            share = percent_interval(degeneration_interval(rate))
            parts.append(f"{share} of the {decoding} completions are degenerate{f' ({kinds})' if kinds else ''}")
    parts += [
        f"{prose(name)} {decoding} pass@{k} {percent_interval(share)}"
        for name, decoding, k, share in _shares(scorecard)
        if (decoding, k) == ("greedy", "1")
    ]
    return f"{'; '.join(parts) or 'nothing was scored'}."


def _losses_in_words(scorecard: Scorecard) -> str:
    loss = scorecard.loss
    parts = [
        *([] if loss.logged_nats is None else [f"{nats(loss.logged_nats)} nats logged"]),
        *([] if loss.recomputed_nats is None else [f"{nats(loss.recomputed_nats.estimate)} recomputed"]),
        *([] if loss.honest_nats is None else [f"{nats_interval(loss.honest_nats)} honest"]),
    ]
    return f"{', '.join(parts) or 'none known'}. {loss_meaning_of(scorecard)}"


def no_cause(scorecard: Scorecard) -> str:
    """Say that no probe found a cause, or that none was asked; nothing where there is one."""
    if scorecard.cause is not None:
        return ""
    if not was_diagnosed(scorecard):
        return "No cause was looked for."
    return f"No probe found a cause.{' What follows contributes, or is worth knowing.' * bool(scorecard.findings)}"


def _cause_in_words(scorecard: Scorecard) -> str:
    first = next(iter(scorecard.findings), None)
    if first is not None and first.severity == "cause":
        return f"**Cause**: {prose(first.claim)}"
    none = f"**Cause**: {no_cause_in_words(scorecard)}"
    return none if first is None else f"{none} {first.severity.capitalize()}: {prose(first.claim)}"


def _loss_cells(interval: Interval | None) -> list[str]:
    return (
        ["–", "not measured"]
        if interval is None
        else [nats(interval.estimate), nats_bounds(interval) or "none: one row"]
    )


def _value(value: Any) -> str:
    """A figure of a probe's evidence, whatever it is."""
    if isinstance(value, bool) or value is None:
        return _yes(value) if value is not None else "–"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, str):
        return prose(shortened(value, MAX_VALUE))
    return code_cell(shortened(json.dumps(value, ensure_ascii=False, sort_keys=True, default=str), MAX_VALUE))


def _top_k(top_k: int) -> str:
    return str(top_k) if top_k else "no cut"


def _setting(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return prose(", ".join(map(str, value))) or "none"
    if value is None:
        return "not set"
    return _yes(value) if isinstance(value, bool) else prose(str(value))


def _yes(flag: bool) -> str:
    return "yes" if flag else "no"
