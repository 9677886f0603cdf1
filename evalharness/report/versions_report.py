"""Several runs as versions of one line of work: what each changed, what came of it, and what all that failed share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalharness.report.cause_summary import cause_cell
from evalharness.report.loss_against_behaviour import decoding_of_kinds, logged_points
from evalharness.report.numbers import nats, relative_change
from evalharness.report.parts import BulletList, Code, Heading, Paragraph, Strong, Table
from evalharness.report.run_evidence import step_name
from evalharness.report.sections.verdict_lines import BRACKETS
from evalharness.report.shares import best_pass_at_1_cell, kinds_by_count, verdict_cell
from evalharness.statistics.plurals import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evalharness.report.parts import Part, Text
    from evalharness.report.run_evidence import Run

HEADER = (
    *("Run", "Training rows", "Last step", "Method", "Verdict", "Kinds of degeneration"),
    *("Logged validation loss", "Honest loss", "Best pass@1", "Cause"),
)
NOT_RECORDED = "not recorded"
_ABOUT = "Each at its last scored step. Losses are in nats per token. A lower loss does not mean a better model."


def versions_document(runs: Sequence[Run]) -> tuple[Part, ...]:
    """Return the table of ``runs``, each at its last scored step in the order given, and what follows from it."""
    return tuple(_parts(runs))


def _parts(runs: Sequence[Run]) -> Iterator[Part]:
    yield Heading(f"{counted(len(runs), 'run')} beside each other", 1)
    yield Table(HEADER, tuple(map(_row, runs)), frozenset({1, 2, 7, 8}))
    yield Paragraph(
        "Each at its last scored step. Losses are in nats per token. A lower loss does not mean a better model."
    )
    yield BRACKETS
    shared = tuple(_shared(runs))
    if shared:
        yield Heading("The runs that failed")
        yield BulletList(shared)


def _row(run: Run) -> tuple[Text, ...]:
    card = run.last
    rate = card.degeneration.get(decoding_of_kinds(run.frames))
    honest = card.loss.honest_nats
    return (
        run.name,
        _training_rows(run),
        step_name(run.last_step),
        _method(run),
        verdict_cell(card),
        (kinds_by_count(rate) if rate is not None else "") or "–",
        _direction(run),
        "–" if honest is None else nats(honest.estimate),
        best_pass_at_1_cell(card),
        cause_cell(card),
    )


def _training_rows(run: Run) -> str:
    rows = next((file.rows for file in run.data if file.split == "train"), None)
    return NOT_RECORDED if rows is None else f"{rows:,}"


def _method(run: Run) -> str:
    """The adapter with its rank, or what else is trained."""
    adapter, rank = run.fact("Method", "Adapter"), run.fact("Method", "Rank")
    if adapter is not None:
        return adapter if rank is None else f"{adapter}, rank {rank}"
    return run.fact("Method", "Trained") or NOT_RECORDED


def _direction(run: Run) -> str:
    """Where the logged validation loss went."""
    change = _change(run)
    if change is None:
        return NOT_RECORDED
    return f"{nats(change[0])} → {nats(change[1])} ({relative_change(*change)})"


def _change(run: Run) -> tuple[float, float] | None:
    """The first and the last logged validation loss; None with fewer than two."""
    values = logged_points(run.frames, "validation")["loss_nats"].to_list()
    return (values[0], values[-1]) if len(values) > 1 else None


def _shared(runs: Sequence[Run]) -> Iterator[Text]:
    failed = [run for run in runs if run.last.verdict in {"collapsed", "degenerating"}]
    in_spite = [run for run in failed if (change := _change(run)) is not None and change[1] < change[0]]
    if in_spite:
        names = ", ".join(run.name for run in in_spite)
        yield (
            Strong("The loss fell all the same"),
            f" in {len(in_spite)} of {counted(len(failed), 'failed run')}: {names}.",
        )
    by_cause: dict[str, list[Run]] = {}
    for run in failed:
        if run.last.cause is not None:
            by_cause.setdefault(run.last.cause.probe, []).append(run)
    for probe, members in by_cause.items():
        if len(members) > 1:
            yield (Strong("One cause"), ", ", Code(probe), f", in {_and_changed(members)}")


def _and_changed(runs: Sequence[Run]) -> str:
    """The runs, and what differs between them and so is not what is wrong."""
    differing = [
        words
        for words, values in (
            ("the number of training rows", {_training_rows(run) for run in runs} - {NOT_RECORDED}),
            ("the steps", {step_name(run.last_step) for run in runs}),
            ("the method", {_method(run) for run in runs} - {NOT_RECORDED}),
        )
        if len(values) > 1
    ]
    names = ", ".join(run.name for run in runs)
    if not differing:
        return f"{names}."
    return f"{names}. They differ in {', '.join(differing)}, and that changed nothing: the cause has to go first."
