"""Asks probes about one subject, and puts what they say in order."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from evalharness.diagnosis.explaining import share_explained
from evalharness.errors import EvaluationError
from evalharness.models.protocols import CAPABILITY_NAMES
from evalharness.progress.time_limit import OutOfTime
from evalharness.records import LEAK, Finding, Incomplete, NotTestable, RuledOut
from evalharness.statistics.plurals import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from evalharness.diagnosis.measured import Measured
    from evalharness.diagnosis.probe import Probe
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
    "own_generate": ("not_known", "no function of your own that writes is named: [model] generate names it"),
    "batch": ("no_data", "the loop's own batch is not known: evalharness.preflight(model, batch) in the script tells"),
    "targets": ("no_data", "the batch has no targets"),
    "tokenizer": ("not_known", "without a tokenizer the ids can't be decoded and encoded again"),
}
"""By what a probe needs: why it can't be tested without."""
_SEVERITIES = ("cause", "contributing", "note")


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What was established of one checkpoint.

    ``findings`` come in order: the causes, then what contributes, then notes; within these by how much of the gap in
    the loss or of the bad completions each explains, so the first explains most. ``incomplete`` has an entry for each
    probe that failed; the others went on.
    """

    findings: tuple[Finding, ...]
    ruled_out: tuple[RuledOut, ...]
    not_testable: tuple[NotTestable, ...]
    incomplete: tuple[Incomplete, ...] = ()

    @property
    def causes(self) -> tuple[Finding, ...]:
        """The findings that are a cause."""
        return tuple(finding for finding in self.findings if finding.severity == "cause")

    @property
    def _said(self) -> tuple[Sequence[Any], ...]:
        return self.findings, self.ruled_out, self.not_testable, self.incomplete

    def __str__(self) -> str:
        """A line for each thing, as a terminal shows it: findings, what was ruled out, what was not tested, and why."""
        shown: str = importlib.import_module("evalharness.report.diagnosis_lines").diagnosis_text(*self._said)
        return shown

    def _repr_html_(self) -> str:
        """For notebooks. What is shown is the report's to say, and it is loaded only for this."""
        shown: str = importlib.import_module("evalharness.report.notebook").diagnosis_html(*self._said)
        return shown


def examine(
    measured: Measured,
    probes: Sequence[Probe],
    *,
    every: bool = True,
    progress: Callable[[Probe], None] = lambda _: None,
) -> Diagnosis:
    """Ask every probe, the cheap ones first, except those whose outcomes ``measured`` has already.

    A probe that lacks what it needs, or whose answer a leak would decide, is not testable, and says so. One that fails
    is reported and the others go on. Without ``every`` a cause that explains everything ends it: what would run the
    model is not asked any more, and says so. ``progress`` is called with each probe when it is done.
    """
    incomplete: list[Incomplete] = []
    answered = {outcome.probe for outcome in measured.outcomes}
    for probe in sorted(probes, key=_cost):
        if probe.name not in answered:
            explained_by = None if every else _explained_by(measured, probes)
            outcomes = tuple(_named(probe, o) for o in _ask(probe, measured, incomplete, explained_by))
            measured.outcomes += outcomes
            if probe.ends_if_cause and any(_is_cause(outcome) for outcome in outcomes):
                break
        progress(probe)
    return ordered(measured.outcomes, probes, incomplete)


def ordered(outcomes: Iterable[Outcome], probes: Sequence[Probe], incomplete: Sequence[Incomplete] = ()) -> Diagnosis:
    """Sort the outcomes of ``probes`` into a diagnosis.

    Findings by severity, then by how much each explains, then in the order of the probes; the rest as the probes are.
    """
    place = {probe.name: number for number, probe in enumerate(probes)}
    of_all = sorted((outcome for outcome in outcomes if outcome.probe in place), key=lambda o: place[o.probe])
    findings = [outcome for outcome in of_all if isinstance(outcome, Finding)]
    findings.sort(key=lambda f: (_SEVERITIES.index(f.severity), -round(share_explained(f), 1), place[f.probe]))
    return Diagnosis(
        findings=tuple(findings),
        ruled_out=tuple(outcome for outcome in of_all if isinstance(outcome, RuledOut)),
        not_testable=tuple(outcome for outcome in of_all if isinstance(outcome, NotTestable)),
        incomplete=tuple(incomplete),
    )


def _cost(probe: Probe) -> tuple[bool, bool, bool, int, int]:
    """What has to be known before the model is run, the leak, then by cost, and last what the others left over."""
    is_first = probe.ends_if_cause and not probe.forward_passes
    return not is_first, probe.name != LEAK, probe.asked_last, probe.forward_passes, probe.order


def _explained_by(measured: Measured, probes: Sequence[Probe]) -> str | None:
    """The probe whose cause explains everything, None while there is none.

    A leak in training alone does not, nor one that the model makes no use of.
    """
    explaining = {probe.name for probe in probes if probe.explains_all}
    causes = [outcome for outcome in measured.outcomes if _is_cause(outcome) and outcome.probe in explaining]
    return next((cause.probe for cause in causes if cause.probe != LEAK or measured.leak_matters), None)


def _ask(
    probe: Probe, measured: Measured, incomplete: list[Incomplete], explained_by: str | None
) -> tuple[Outcome, ...]:
    """What the probe says, or why it is not asked; a failure of its own is added to ``incomplete``."""
    lacking = _lacking(probe, measured)
    if lacking is None and explained_by is not None and probe.runs_model:
        lacking = "explained", f"not asked: {explained_by} explains everything (--all-probes asks it)"
    if lacking is None and measured.limit is not None and measured.limit.is_over:
        lacking = "no_time", measured.limit.reason
    if lacking is not None:
        return (NotTestable(probe.name, *lacking),)
    try:
        outcome = probe.run(measured)
    except EvaluationError as error:
        # The model's fault and not the probe's: it returns NaN, or its forward pass fails. `not_finite` tells of that.
        return (NotTestable(probe.name, "model_failed", str(error)),)
    except OutOfTime as over:
        return (NotTestable(probe.name, "no_time", str(over)),)
    except Exception as error:  # noqa: BLE001 - whatever one probe trips over, the others go on
        line = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no message'}"
        incomplete.append(Incomplete("diagnosis", probe.name, line))
        return (NotTestable(probe.name, "failed", f"the probe failed: {line}"),)
    return outcome if isinstance(outcome, tuple) else (outcome,)


def _named(probe: Probe, outcome: Outcome) -> Outcome:
    """The outcome of another package's probe, under the name that says so."""
    return outcome if probe.package is None else replace(outcome, probe=probe.name, package=probe.package)


def _lacking(probe: Probe, measured: Measured) -> tuple[NotTestableKind, str] | None:
    """Why the probe can't be asked, None if it can."""
    offered = measured.subject.model.capabilities
    not_offered = [name for capability, name in CAPABILITY_NAMES.items() if capability in probe.capabilities - offered]
    if not_offered:
        return "capability", f"this model gives no {', no '.join(not_offered)}"
    missing = next((need for need in probe.needs if not measured.subject.has(need)), None)
    if missing is not None:
        return _missing(measured.subject, missing)
    if measured.leak_matters and probe.skipped_if_leak:
        return "leak", f"not asked of a model that sees later tokens ({LEAK})"
    if measured.is_repaired and probe.skipped_if_repaired:
        return "does_not_apply", "a setting that differs from training explains the logged loss"
    return None


def _missing(subject: Subject, need: Need) -> tuple[NotTestableKind, str]:
    """Why it is missing: rows that were given are known, but may all be without a target."""
    split = {"train": subject.train, "validation": subject.validation}.get(need)
    if split is None:
        return MISSING[need]
    limit = subject.model.context_length
    within = "" if limit is None else f" within the context of {counted(limit, 'token')}"
    return "too_few", f"{split.source} has {counted(len(split.rows), 'row')}, none of them with a target{within}"


def _is_cause(outcome: Outcome) -> bool:
    return isinstance(outcome, Finding) and outcome.severity == "cause"
