"""What the diagnosis established, as tables and as lines of a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalharness.report.numbers import loss_sentence, nats, nats_interval, percent_interval
from evalharness.report.writers.escaping import code, prose, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from evalharness.records import Finding, Loss, NotTestable, PartLoss, RuledOut

CONVENTIONS_SHOWN = 6
"""Of the conventions that reproduce a logged loss so many are named, the nearest first."""


def hypotheses(
    findings: Sequence[Finding],
    ruled_out: Sequence[RuledOut],
    not_testable: Sequence[NotTestable],
    questions: Mapping[str, str],
) -> str:
    """Return the table of every hypothesis with its test and result, in the order in which they are asked.

    Where none was tested, and all for one reason, a sentence says it.
    """
    reasons = {item.reason for item in not_testable}
    if not findings and not ruled_out and len(reasons) <= 1:
        return f"Nothing was tested{''.join(f': {prose(reason)}' for reason in reasons)}."
    found = [(f.probe, f"**{f.severity}**", f.claim) for f in findings]
    cleared = [(r.probe, "ruled out", r.claim) for r in ruled_out]
    untested = [(n.probe, "not testable", n.reason) for n in not_testable]
    order = {name: i for i, name in enumerate(questions)}
    rows = sorted([*found, *cleared, *untested], key=lambda row: order.get(row[0], len(order)))
    return table(
        ["Hypothesis", "Test", "Result", "What was measured"],
        [[prose(questions.get(name, "")), code(name), result, prose(said)] for name, result, said in rows],
    )


def loss_parts(loss: Loss) -> str:
    """Return the table of the loss by class of token and by position; nothing where it was not taken apart."""
    if loss.whole is None:
        return ""
    fell = loss.whole.before_nats is not None
    header = ["Targets", "Number", "Share of targets", "Nats a token", "95 % interval"]
    header += ["Before training", "Share of the fall"] if fell else []
    parts = [*loss.by_class, *loss.by_position, loss.whole]
    return table(header, [_part(part, fell) for part in parts], frozenset(range(1, len(header))))


def _part(part: PartLoss, fell: bool) -> list[str]:
    bounds = f"[{nats(part.after_nats.low)}, {nats(part.after_nats.high)}]"
    share = percent_interval(part.share_of_targets) if part.name != "all" else "100 %"
    cells = [prose(part.name), f"{part.targets:,}", share, nats(part.after_nats.estimate), bounds]
    if not fell:
        return cells
    before = "–" if part.before_nats is None else nats(part.before_nats.estimate)
    of_fall = "100 %" if part.name == "all" else "–"
    if part.name != "all" and part.share_of_fall is not None:
        of_fall = percent_interval(part.share_of_fall)
    return [*cells, before, of_fall]


def conventions(loss: Loss) -> str:
    """Return which ways to compute the loss give the logged one, or nothing where none was logged or none tried."""
    if loss.logged_nats is None or not loss.conventions:
        return ""
    logged = f"{nats(loss.logged_nats)} nats"
    if not loss.reproduced_by:
        return f"None of {loss.conventions} ways to compute the loss of these rows gives the logged {logged}."
    shown = "; ".join(
        f"{prose(item.words)} ({nats_interval(item.loss_nats)})" for item in loss.reproduced_by[:CONVENTIONS_SHOWN]
    )
    more = len(loss.reproduced_by) - CONVENTIONS_SHOWN
    return (
        f"Of {loss.conventions} ways to compute the loss of these rows, {len(loss.reproduced_by)} give the logged "
        f"{logged} within their intervals (among many, one fits by chance): {shown}"
        f"{f'; and {more} more' if more > 0 else ''}. Which of them was used is concluded from this, unless the "
        "manifest says it."
    )


def bits_per_byte(loss: Loss) -> str:
    """Return both losses in bits per byte of the targets' text, which compares across tokenizers."""
    if loss.recomputed_bits_per_byte is None or loss.honest_bits_per_byte is None:
        return ""
    return (
        f"In bits per byte of the targets' text: {loss.recomputed_bits_per_byte:.3f} recomputed, "
        f"{loss.honest_bits_per_byte:.3f} honest."
    )


def loss_lines(loss: Loss) -> Iterator[str]:
    """Yield the losses and what they say of each other, for a terminal."""
    parts = [
        "none logged" if loss.logged_nats is None else f"{nats(loss.logged_nats)} logged ({loss.logged_source})",
        *([] if loss.recomputed_nats is None else [f"{nats_interval(loss.recomputed_nats)} recomputed"]),
        *([] if loss.honest_nats is None else [f"{nats_interval(loss.honest_nats)} honest"]),
    ]
    yield f"{', '.join(parts)}. {loss_sentence(loss)}"
    if loss.recomputed_nats is not None:
        yield f"Recomputed and honest: {loss.convention}. Probes measure fewer rows, and all their targets."


def diagnosis_lines(
    findings: Sequence[Finding], ruled_out: Sequence[RuledOut], not_testable: Sequence[NotTestable]
) -> Iterator[tuple[str, str]]:
    """Yield ``(label, sentence)`` for a terminal: the findings with what to do, what was ruled out, what is open."""
    if not any(finding.severity == "cause" for finding in findings):
        yield "cause", "none found"
    for finding in findings:
        yield finding.severity, f"{finding.probe}: {finding.claim}"
        yield "", f"What to do: {finding.remedy}"
    for cleared in ruled_out:
        yield "ruled out", f"{cleared.probe}: {cleared.claim}"
    for untested in not_testable:
        yield "not testable", f"{untested.probe}: {untested.reason}"
