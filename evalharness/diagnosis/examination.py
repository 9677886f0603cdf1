"""Asking all probes of the catalogue, and putting what they say in order."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from evalharness.errors import EvaluationError
from evalharness.records import Finding, Incomplete, NotTestable, RuledOut

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from evalharness.diagnosis.catalogue import Probe
    from evalharness.diagnosis.subject import Need, Subject
    from evalharness.records import NotTestableKind, Outcome

MISSING: dict[Need, tuple[NotTestableKind, str]] = {
    "train": ("no_data", "the training rows are not known: [data] train names them"),
    "validation": ("no_data", "the validation rows are not known: [data] validation names them"),
    "problems": ("no_data", "there are no problems"),
    "log": ("no_log", "there is no training log: [log] path names it"),
    "logged": ("no_log", "no validation loss was logged for this step"),
    "adapter": ("no_adapter", "the checkpoint is not an adapter"),
    "base": ("no_base", "no other checkpoint to compare with is known"),
    "observed": ("no_completions", "nothing was generated"),
    "generate": ("capability", "nothing can be generated here"),
}
"""By what a probe needs: why it can't be tested without."""
LEAK = "future_leak"
_SEVERITIES = ("cause", "contributing", "note")


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What was established of one checkpoint.

    ``findings`` come in order: the causes, then what contributes, then notes; within these as the catalogue has them,
    so the first explains most. ``incomplete`` has an entry for each probe that failed; the others went on.
    """

    findings: tuple[Finding, ...]
    ruled_out: tuple[RuledOut, ...]
    not_testable: tuple[NotTestable, ...]
    incomplete: tuple[Incomplete, ...] = ()

    @property
    def causes(self) -> tuple[Finding, ...]:
        """The findings that are a cause."""
        return tuple(finding for finding in self.findings if finding.severity == "cause")

    def __str__(self) -> str:
        """A line for each thing: findings first, then what was ruled out, then what could not be tested."""
        return "\n".join([
            *(f"{finding.severity}, {finding.probe}: {finding.claim}" for finding in self.findings),
            *(f"ruled out, {cleared.probe}: {cleared.claim}" for cleared in self.ruled_out),
            *(f"not testable, {unknown.probe}: {unknown.reason}" for unknown in self.not_testable),
            *(f"incomplete: {lack}" for lack in self.incomplete),
        ])  # fmt: skip


def examine(
    subject: Subject,
    catalogue: Sequence[Probe],
    *,
    known: Sequence[Outcome] = (),
    progress: Callable[[str], None] = lambda _: None,
) -> Diagnosis:
    """Ask every probe of ``catalogue`` about ``subject``; ``known`` holds the answers of those that were asked before.

    A probe that lacks what it needs, or whose answer a leak makes moot, is not testable, and says so. One that fails
    is reported and the others go on. ``progress`` is called with the name of each probe when it is done.
    """
    outcomes: list[Outcome] = []
    incomplete: list[Incomplete] = []
    for probe in catalogue:
        if not subject.leaks and _leaks((*known, *outcomes)):
            # The leak is probed first, so hardly anything has been measured yet that this copy measures again.
            subject = replace(subject, leaks=True)
        before = tuple(outcome for outcome in known if outcome.probe == probe.name)
        about = replace(subject, outcomes=(*known, *outcomes)) if probe.last else subject
        found = before or _asked(about, probe)
        if isinstance(found, str):
            incomplete.append(Incomplete("diagnosis", probe.name, found))
            found = (NotTestable(probe.name, "failed", f"the probe failed: {found}"),)
        outcomes += found
        progress(probe.name)
    return ordered(outcomes, catalogue, incomplete)


def ordered(
    outcomes: Iterable[Outcome], catalogue: Sequence[Probe], incomplete: Sequence[Incomplete] = ()
) -> Diagnosis:
    """Sort outcomes into a diagnosis: by severity, then as the catalogue has them."""
    place = {probe.name: number for number, probe in enumerate(catalogue)}
    of_all = list(outcomes)
    findings = [outcome for outcome in of_all if isinstance(outcome, Finding)]
    findings.sort(key=lambda f: (_SEVERITIES.index(f.severity), place.get(f.probe, len(place))))
    return Diagnosis(
        findings=tuple(findings),
        ruled_out=tuple(outcome for outcome in of_all if isinstance(outcome, RuledOut)),
        not_testable=tuple(outcome for outcome in of_all if isinstance(outcome, NotTestable)),
        incomplete=tuple(incomplete),
    )


def _leaks(outcomes: Iterable[Outcome]) -> bool:
    return any(isinstance(outcome, Finding) and outcome.probe == LEAK for outcome in outcomes)


def _asked(subject: Subject, probe: Probe) -> tuple[Outcome, ...] | str:
    """What the probe says, or the line that tells how it failed."""
    missing = next((need for need in probe.needs if not subject.has(need)), None)
    if missing is not None:
        return (NotTestable(probe.name, *MISSING[missing]),)
    if subject.leaks and probe.moot_with_leak:
        return (NotTestable(probe.name, "leak", "future_leak already explains the loss"),)
    try:
        found = probe.run(subject)
    except EvaluationError as error:
        # The model's fault and not the probe's: it returns NaN, or its forward pass fails. `not_finite` tells of that.
        return (NotTestable(probe.name, "model_failed", str(error)),)
    except Exception as error:  # noqa: BLE001 - whatever one probe trips over, the others go on
        return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no message'}"
    return found if isinstance(found, tuple) else (found,)
