"""Does one change to the checkpoint bring the logged loss back? The cause is then what is undone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from evalharness.diagnosis.data.spread import evenly
from evalharness.diagnosis.losses.arrangement import encoded_whole
from evalharness.diagnosis.losses.counted_losses import figure, rows_with_end
from evalharness.diagnosis.losses.recomputed_loss import reproducing
from evalharness.diagnosis.losses.row_means import figures, shown
from evalharness.diagnosis.losses.training_agreement import latest_training, logged_training
from evalharness.diagnosis.losses.whole_or_apart import apart_more_nats
from evalharness.diagnosis.probe import MODULE, Probe
from evalharness.diagnosis.trials.base_gap import another_base, base_gap
from evalharness.diagnosis.trials.dear import is_dear
from evalharness.diagnosis.trials.measured_repair import losses_under
from evalharness.diagnosis.trials.merged_already import merged_already
from evalharness.diagnosis.trials.repair_nulls import chance_of_a_repair, random_lowering
from evalharness.diagnosis.trials.repair_search import ALL_ROWS, FEWEST, SHARPLY, RepairSearch
from evalharness.diagnosis.trials.search_time import SearchTime
from evalharness.records import REPAIRED, Finding, NotTestable, RuledOut, is_proven_repair
from evalharness.statistics.plurals import counted

if TYPE_CHECKING:
    from collections import Counter

    from evalharness.diagnosis.losses.recomputed_loss import Recomputed
    from evalharness.diagnosis.measured import Measured
    from evalharness.diagnosis.subject import Subject
    from evalharness.diagnosis.trials.measured_repair import Repaired
    from evalharness.records import Interval, Outcome

NAME = REPAIRED
MUCH = 0.25
"""A repair that closes less than a quarter of the gap between the loss and the log is not worth a word."""
MOST_CHANCE = 0.5
"""If the repairs tried would give half of all losses, that one of them gives the logged one proves nothing."""
SECONDS = 100.0
"""Seconds of computing in which repairs of a dear model are tried: enough for all, for one of 135 million parameters on
two cores."""


def repaired(measured: Measured) -> Outcome:
    """Where the loss is not the logged one: undo one thing after another in memory, and see whether the log comes back.

    A repair is proven if all measured rows give the log under it and not as loaded, and if it lowers the loss of the
    half of the rows that did not choose it. The number of repairs tried is part of the claim. Of a dear model they are
    tried for :data:`SECONDS`; if some are left out for that and none is found, it is not known whether one is needed.
    """
    subject = measured.subject
    logged, split = subject.logged, subject.validation
    if logged is None or split is None:
        return NotTestable(NAME, "no_log", "no validation loss was logged for this step")
    time = SearchTime(SECONDS) if is_dear(subject.torch_model) else SearchTime()
    search = RepairSearch(subject, logged.loss_nats, split, measured.passes.losses, measured.say, time=time)
    if len(search.rows) < FEWEST:
        return NotTestable(
            NAME,
            "too_few",
            f"{counted(len(search.rows), 'row is', 'rows are')} too few to tell one repair from another",
        )
    evidence: dict[str, Any] = {"logged_nats": logged.loss_nats, "rows": len(search.rows)}
    if not search.is_off():
        return _fits_as_loaded(measured, search, evidence)
    if smoothed := _smoothed_as_declared(measured, search.logged_nats):
        return _needs_none(search, smoothed.loss_nats, smoothed.convention.words, evidence)
    return _as_read_or_whole(measured, search, evidence)


def _as_read_or_whole(measured: Measured, search: RepairSearch, evidence: dict[str, Any]) -> Outcome:
    """Try repairs on rows as they are read, and if none is proven on rows encoded whole that the model knows better."""
    whole = _encoded_whole(measured, search)
    if whole is not None and not whole.is_off():
        counting = whole.as_loaded.nearest(whole.logged_nats)
        words = f"rows encoded whole, {counting.words}"
        return _needs_none(whole, whole.as_loaded.figures[counting], words, evidence)
    outcome = merged_already(search, evidence) or _searched(measured, search, dict(evidence))
    if whole is None or is_proven_repair(outcome):
        return outcome
    measured.say("the model knows its text better encoded whole: trying repairs on rows that are")
    of_whole = _searched(measured, whole, dict(evidence))
    return of_whole if is_proven_repair(of_whole) else outcome


def _encoded_whole(measured: Measured, search: RepairSearch) -> RepairSearch | None:
    """The search on rows whose prompt and completion are one text; None unless the model clearly knows these better.

    Rows in other tokens than those of training don't give the log under any repair.
    """
    more = apart_more_nats(measured.subject, measured.passes)
    if more is None or more.low <= 0:
        return None
    rows = tuple(encoded_whole(search.subject, search.split, row) for row in search.split.encoded)
    return None if rows == search.split.encoded else search.on(replace(search.split, encoded=rows))


def _searched(measured: Measured, search: RepairSearch, evidence: dict[str, Any]) -> Outcome:
    """What the repairs come to that are tried one after another."""
    measured.say("the checkpoint's loss is not the logged one: trying repairs")
    found = search.search()
    fitting = [item for item in found if item.fits]
    null, chance = _null(search, fitting[0]) if fitting else None, chance_of_a_repair(search)
    evidence |= _tried(search) | {"chance_of_a_repair": chance}
    if not fitting or _is_chance(fitting[0], null, chance):
        unproven = _unproven(measured, search, [item for item in found if not item.fits], evidence)
        by_chance = fitting and not isinstance(unproven, Finding)
        return _by_chance(fitting[0], null, chance) if by_chance else unproven
    return _proven(search, fitting[0], fitting[1:], evidence | {"random_lowers_nats": null})


def _fits_as_loaded(measured: Measured, search: RepairSearch, evidence: dict[str, Any]) -> Outcome:
    """No repair is needed, unless the log is not what the data say and fits by chance."""
    as_read = search.as_read()
    if as_read.is_off() and not _is_ordinary(measured, search):
        measured.say("the logged loss counts other targets than the data say: trying repairs that could hide there")
        if hidden := _hidden_by_chance(search, as_read):
            item, others, of_it = hidden
            return _proven(as_read, item, others, evidence | of_it)
        if as_read.time.left_out:
            return _left_open(as_read)
        evidence |= _tried(as_read)
    counting = search.as_loaded.nearest(search.logged_nats)
    return _needs_none(search, search.as_loaded.figures[counting], counting.words, evidence)


def _needs_none(search: RepairSearch, own: Interval, counting: str, evidence: dict[str, Any]) -> RuledOut:
    claim = (
        f"No repair is needed: as loaded the loss is {shown(own)} nats ({counting}, {search.rows_in_words}), and "
        f"{search.logged_nats:.4g} was logged (step {_step(search)})."
    )
    return RuledOut(NAME, claim, evidence | figures("as_loaded", own))


def _smoothed_as_declared(measured: Measured, logged_nats: float) -> Recomputed | None:
    """The loss as loaded with the label smoothing that is declared, if that is the logged one.

    Without a declaration a repair is looked for: some strength of smoothing fits many a log by chance.
    """
    strength = measured.subject.declared.label_smoothing
    if not strength:
        return None
    of_rows = (item for item in measured.conventions if item.as_given and item.convention.smoothing == strength)
    return next(iter(reproducing((item for item in of_rows if item.convention.shift == 1), logged_nats)), None)


def _is_ordinary(measured: Measured, search: RepairSearch) -> bool:
    """Whether a dear model's log counts the prompt otherwise than the data say, and the training loss does so too.

    The training loss would agree by the same chance as the validation loss. So where a search is cheap it is made, and
    of a dear model the far likelier is taken: many trainers leave out the prompt without being told.
    """
    if not is_dear(search.subject.torch_model) or latest_training(measured) is None:
        return False
    counting = search.as_loaded.nearest(search.logged_nats)
    fitting = reproducing(measured.conventions, search.logged_nats)
    shown_by = (i for i in fitting if _is_plain(i) and i.convention.prompt == counting.prompt)
    return any(_training_agrees(measured, item) for item in shown_by)


def _is_plain(item: Recomputed) -> bool:
    return item.convention.is_plain and item.layout.is_rows_alone


def _training_agrees(measured: Measured, shown_by: Recomputed) -> bool:
    training = logged_training(measured, shown_by)
    return training is not None and training.agreement(lambda nats: nats) is not None


def _left_open(search: RepairSearch) -> NotTestable:
    """No repair was found among those for which there was time."""
    reason = (
        f"of {counted(search.tried.total(), 'repair')} tried none brings the logged loss back; not "
        f"tried for lack of time: {_counts(search.time.left_out)}"
    )
    return NotTestable(NAME, "no_time", reason)


def _counts(kinds: Counter[str]) -> str:
    return ", ".join(f"{count} of {kind}" for kind, count in kinds.items())


def _null(search: RepairSearch, item: Repaired) -> float | None:
    """By how much random changes of the same size lower the loss; None for what has no size, or need not lower it."""
    return random_lowering(search, item.repair, item.counting) if item.repair.lowers else None


def _is_chance(item: Repaired, null: float | None, chance: float) -> bool:
    """Whether changes at random do as much; without any, whether the repairs tried would give nearly any loss."""
    return chance > MOST_CHANCE and not item.repair.sharp if null is None else null >= item.lowered_nats.low


def _by_chance(item: Repaired, null: float | None, chance: float) -> NotTestable:
    """A repair that gives the log is no proof if the same may come of anything."""
    lowered = item.lowered_nats.estimate
    so_does = (
        f"the repairs that were tried would give {chance:.0%} of all losses of this size"
        if null is None
        else f"it lowers the loss by {lowered:.3g} nats, and a random change of the same size by {null:.3g}"
    )
    return NotTestable(NAME, "undecided", f"with {item.repair.words} the logged loss comes back, but {so_does}")


def _tried(search: RepairSearch) -> dict[str, Any]:
    found = {"repairs_tried": search.tried.total(), "kinds": dict(search.tried), "not_made": search.failed}
    return found | ({"left_out_for_time": dict(search.time.left_out)} if search.time.left_out else {})


def _hidden_by_chance(
    search: RepairSearch, as_read: RepairSearch
) -> tuple[Repaired, list[Repaired], dict[str, Any]] | None:
    """A repair under which the log is what the data say, if as loaded it only is what they don't say.

    Of several ways to count some one fits by chance. No change at random, of the same size, does what the repair does.
    """
    fitting = [item for item in as_read.search(sharp=True) if item.fits and _lowers_by_much(as_read, item)]
    if not fitting:
        return None
    best = fitting[0]
    null, chance = _null(as_read, best), chance_of_a_repair(as_read)
    if _is_chance(best, null, chance):
        return None
    by_chance = search.as_loaded.nearest(search.logged_nats)
    evidence = _tried(as_read) | {"fits_as_loaded_by": by_chance.words, "random_lowers_nats": null}
    return best, fitting[1:], evidence | {"chance_of_a_repair": chance}


def _lowers_by_much(search: RepairSearch, item: Repaired) -> bool:
    """Whether a sharp repair lowers the loss by much on all rows, and not on the few alone that chose it."""
    return item.lowered_nats.estimate > SHARPLY * search.as_loaded.figures[item.counting].estimate


def _proven(search: RepairSearch, best: Repaired, others: list[Repaired], evidence: dict[str, Any]) -> Outcome:
    subject, repair = search.subject, best.repair
    own = search.as_loaded.figures[best.counting]
    train = _training_figure(subject, best)
    claim = (
        f"As loaded the loss is {own.estimate:.4g} nats; with {repair.words} it is {best.loss_nats.estimate:.4g}; "
        f"{search.logged_nats:.4g} was logged ({best.counting.words}, {search.rows_in_words}). "
        "It was chosen on one half of the rows; on the other half it changes the loss by "
        f"{-best.lowered_nats.estimate:.3g} nats per token "
        f"[{-best.lowered_nats.high:.3g}, {-best.lowered_nats.low:.3g}]{_training_words(train)}. "
        f"{search.tried_in_words}; these would give {evidence['chance_of_a_repair']:.0%} of all losses of this size by "
        "chance"
    )
    if others:
        claim += f"; as good, but with more changed: {', '.join(item.repair.words for item in others[:3])}"
    if by_chance := evidence.get("fits_as_loaded_by"):
        claim += f". As loaded the log fits by chance, and only as the data don't say: {by_chance}"
    return Finding(
        NAME,
        repair.severity,
        claim + ".",
        evidence
        | _evidence(best, own)
        | {"proven": True, "also": [item.repair.words for item in others]}
        | ({} if train is None else {"train_logged_nats": train[0], "train_repaired_nats": train[1].estimate}),
        repair.remedy,
    )


def _unproven(measured: Measured, search: RepairSearch, found: list[Repaired], evidence: dict[str, Any]) -> Outcome:
    """No repair brings the log back; one that goes a large part of the way is worth knowing, if a gap is there at all.

    There is none where a plain convention gives the log as loaded, such as rows encoded whole: the search counts rows
    as they are read.
    """
    own = search.as_loaded.figures[search.as_loaded.nearest(search.logged_nats)]
    tried = search.tried_in_words
    telling = [item for item in found if item.repair.lowers and not item.repair.all_or_nothing]
    lowering = [item for item in telling if item.lowered_nats.low > 0]
    best = max(lowering, key=lambda item: item.lowered_nats.estimate, default=None)
    share = 0.0 if best is None else _share_closed(search, best)
    if best is not None and share >= MUCH and not _is_plainly_reproduced(measured, search):
        null = _null(search, best)
        if not _is_chance(best, null, chance=0.0):
            own = search.as_loaded.figures[best.counting]
            claim = (
                f"Not proven, but a large part of the gap: as loaded the loss is {own.estimate:.4g} nats, with "
                f"{best.repair.words} {best.loss_nats.estimate:.4g}, and {search.logged_nats:.4g} was logged "
                f"({best.counting.words}, {search.rows_in_words}). {tried}"
            )
            if null is not None:
                claim += f"; a random change of the same size changes the loss by {-null:+.3g} nats at best"
            more = {"proven": False, "share_closed": share} | ({} if null is None else {"random_lowers_nats": null})
            evidence |= _evidence(best, own) | more
            return Finding(NAME, "contributing", claim + ".", evidence, best.repair.remedy)
    elsewhere = base_gap(search)
    if elsewhere is not None and not reproducing(measured.conventions, search.logged_nats):
        return another_base(search, elsewhere, evidence)
    if search.time.left_out:
        return _left_open(search)
    claim = (
        f"None of {counted(search.tried.total(), 'repair')} brings the logged {search.logged_nats:.4g} nats back: as "
        f"loaded the loss is {shown(own)} nats ({search.rows_in_words}; {', '.join(search.tried)} were tried)."
    )
    return RuledOut(NAME, claim, evidence | figures("as_loaded", own))


def _is_plainly_reproduced(measured: Measured, search: RepairSearch) -> bool:
    """Whether the log is the loss as loaded by a plain convention that is known exactly."""
    return any(
        item.exact and item.convention.is_plain and item.convention.shift == 1
        for item in reproducing(measured.conventions, search.logged_nats)
    )


def _share_closed(search: RepairSearch, best: Repaired) -> float:
    """How much of the way from the loss as loaded to the log a repair goes."""
    before = search.as_loaded.figures[best.counting].estimate
    gap = before - search.logged_nats
    return (before - best.loss_nats.estimate) / gap if gap > 0 else 0.0


def _evidence(best: Repaired, own: Interval) -> dict[str, Any]:
    repair = best.repair
    return {
        "kind": repair.kind,
        "place": repair.place,
        "settings": dict(repair.settings),
        "present": dict(repair.present),
        "file": repair.file,
        "counting": best.counting.words,
        "lowered_nats": best.lowered_nats.estimate,
        "lowered_low_nats": best.lowered_nats.low,
    } | figures("as_loaded", own) | figures("repaired", best.loss_nats)  # fmt: skip


def _step(search: RepairSearch) -> int | None:
    return None if search.subject.logged is None else search.subject.logged.step


def _training_figure(subject: Subject, best: Repaired) -> tuple[float, Interval] | None:
    """The training loss that was logged last, and the one of some training rows under the repair."""
    points = [point.loss_nats for point in subject.log if point.split == "train"]
    if not points or subject.train is None or best.repair.begin_ids is not None:
        return None
    rows = evenly(rows_with_end(subject, subject.train), len(best.measurement.rows))
    losses = losses_under(best.repair, subject, subject.train, rows)
    found = figure(losses, best.counting, subject.seed)
    return None if found is None else (points[-1], found)


def _training_words(train: tuple[float, Interval] | None) -> str:
    if train is None:
        return ""
    return f"; the training loss is then {train[1].estimate:.3g} nats, logged were {train[0]:.3g}"


# A log that the checkpoint gives costs one pass over the rows; only one that it doesn't is worth the search.
PROBE = Probe(
    name=NAME,
    question="Does one change to the checkpoint bring the logged loss back?",
    run=repaired,
    order=45,
    not_worth_trying="Another configuration of this checkpoint",
    at_most="cause",
    forward_passes=ALL_ROWS,
    needs=("logged", "validation"),
    capabilities=MODULE,
    skipped_if_leak=True,
)
