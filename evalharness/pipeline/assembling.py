"""Everything that was found of a checkpoint, put into one scorecard."""

from __future__ import annotations

import platform
from dataclasses import replace
from importlib.metadata import version
from typing import TYPE_CHECKING

from evalharness.pipeline import counting
from evalharness.records import PROTOCOL_FIELDS, Interval, ProblemSetInfo, Protocol, Scorecard
from evalharness.settings.declaration import recorded

if TYPE_CHECKING:
    from collections.abc import Iterable

    from evalharness.diagnosis import Diagnosis
    from evalharness.generation import Settings
    from evalharness.pipeline.work import Behaviour, Work
    from evalharness.problems import ProblemSet
    from evalharness.records import CheckpointInfo, Incomplete, Loss, Programs


def assemble(
    checkpoint: CheckpointInfo,
    protocol: Protocol,
    behaviour: Behaviour,
    *,
    ks: Iterable[int],
    programs: Programs,
    loss: Loss,
    diagnosis: Diagnosis,
    incomplete: Iterable[Incomplete],
) -> Scorecard:
    """Put what the stages found into one record: of a score, and of another tool's completions."""
    pass_at_k: dict[str, dict[str, dict[str, Interval]]] = {info.name: {} for info in protocol.problems}
    base_pass_at_k: dict[str, dict[str, dict[str, Interval]]] = {}
    outcomes: dict[str, dict[str, dict[str, int]]] = {info.name: {} for info in protocol.problems}
    for (name, decoding), executions in behaviour.executions.items():
        pass_at_k[name][decoding] = counting.pass_at_k(executions, ks)
        outcomes[name][decoding] = counting.outcomes(executions)
        if base := counting.base_pass_at_k(executions, ks):
            base_pass_at_k.setdefault(name, {})[decoding] = base
    return Scorecard(
        checkpoint=checkpoint,
        protocol=protocol,
        loss=loss,
        pass_at_k=pass_at_k,
        outcomes=outcomes,
        programs=programs,
        degeneration=behaviour.rates,
        verdict=behaviour.judgement.verdict,
        verdict_reason=behaviour.judgement.reason,
        findings=diagnosis.findings,
        ruled_out=diagnosis.ruled_out,
        not_testable=diagnosis.not_testable,
        incomplete=tuple(incomplete),
        formats=behaviour.formats,
        base_pass_at_k=base_pass_at_k,
    )


def scorecard_of(work: Work, settings: Settings, behaviour: Behaviour, diagnosis: Diagnosis, loss: Loss) -> Scorecard:
    """The scorecard of a checkpoint that was scored."""
    return assemble(
        replace(work.checkpoint.info, model=work.target.run_name),
        _protocol(work, settings),
        behaviour,
        ks=work.options.k,
        programs=work.programs,
        loss=loss,
        diagnosis=diagnosis,
        incomplete=work.incomplete,
    )


def set_info(problem_set: ProblemSet) -> ProblemSetInfo:
    """A problem set as the protocol names it."""
    return ProblemSetInfo(problem_set.name, len(problem_set.problems), problem_set.digest, problem_set.release)


def versions(*packages: str) -> dict[str, str]:
    """The versions of this package, of others that decide, and of Python."""
    return {name: version(name) for name in ("evalharness", *packages)} | {"python": platform.python_version()}


def _engine_version(work: Work) -> dict[str, str]:
    """That of the engine that wrote the completions, if it is another and tells."""
    told = None if work.served is None else work.served.handshake
    return {} if told is None or told.version is None else {told.engine: told.version}


def _protocol(work: Work, settings: Settings) -> Protocol:
    options = work.options
    return Protocol(
        problems=tuple(map(set_info, work.sets)),
        samples=options.samples,
        temperature=options.temperature,
        top_p=options.top_p,
        top_k=options.top_k,
        seed=options.seed,
        max_new_tokens=settings.max_new_tokens,
        stop_loops=options.stop_loops,
        attention=work.attention,
        exact_lengths=settings.exact_lengths,
        device=work.checkpoint.device,
        dtype=work.checkpoint.dtype,
        isolation=work.isolation,
        packages=options.packages,
        versions=versions("torch") | _engine_version(work),
        settings={name: value for name, value in recorded(options).items() if name not in PROTOCOL_FIELDS},
    )
