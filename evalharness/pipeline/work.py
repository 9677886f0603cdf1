"""What is known so far of the checkpoint that is being scored."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from evalharness.pipeline.shared import Shared
from evalharness.records import DecodingName, Programs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evalharness.degeneration import Degeneration, Judgement
    from evalharness.diagnosis import Split
    from evalharness.generation import Pace
    from evalharness.models.endpoint import ServedModel
    from evalharness.models.torch import Checkpoint
    from evalharness.pipeline.target import Target
    from evalharness.problems import ProblemSet
    from evalharness.progress import Watcher
    from evalharness.progress.time_limit import TimeLimit
    from evalharness.records import (
        Completion,
        DegenerationRate,
        Execution,
        FormatComparison,
        Incomplete,
        IsolationInfo,
        LogChoice,
        LossPoint,
        Outcome,
        Problem,
    )
    from evalharness.settings.manifest import Manifest
    from evalharness.settings.score import ScoreOptions

Attention = Literal["causal", "leaks", "prefix", "not_testable"]
Group = tuple[str, DecodingName]
"""A problem set and a decoding: what is counted together."""


@dataclass(slots=True)
class Work:
    """One score under way: what it is about, and what was found up to now.

    ``leak`` is what the probe of attention said, which is asked before anything is generated; None until then.
    ``served`` is the model of a server that writes the completions; None where the checkpoint's own does. ``shared`` is
    what the steps of one run have in common. ``limit`` is the time that the score may take, None without a limit.
    ``token_s`` is how many seconds a pass takes for each token, and ``pace`` how fast the model writes, None until they
    were measured. ``log`` ends with the step of the checkpoint, and ``later`` is what was logged after it.
    """

    target: Target
    checkpoint: Checkpoint
    manifest: Manifest
    options: ScoreOptions
    sets: list[ProblemSet]
    watcher: Watcher
    log: list[LossPoint]
    train: Split | None
    validation: Split | None
    log_choice: LogChoice | None = None
    served: ServedModel | None = None
    shared: Shared = field(default_factory=Shared)
    attention: Attention = "not_testable"
    isolation: IsolationInfo | None = None
    programs: Programs = field(default_factory=lambda: Programs(0, 0, 0.0))
    leak: Outcome | None = None
    incomplete: list[Incomplete] = field(default_factory=list)
    limit: TimeLimit | None = None
    token_s: float | None = None
    pace: Pace | None = None
    later: tuple[LossPoint, ...] = ()

    @property
    def problems(self) -> dict[str, Problem]:
        """Every problem by its task id."""
        return {problem.task_id: problem for problem_set in self.sets for problem in problem_set.problems}


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What the checkpoint did: the three tuples of a group are about the same completions, in the same order.

    ``executions`` is empty where nothing was run; ``rates`` are by decoding, over all problem sets. ``formats``
    compares with another format of the prompt, where there is one.
    """

    completions: Mapping[Group, tuple[Completion, ...]]
    executions: Mapping[Group, tuple[Execution, ...]]
    analyses: Mapping[Group, tuple[Degeneration, ...]]
    rates: Mapping[str, DegenerationRate]
    judgement: Judgement
    formats: FormatComparison | None = None
