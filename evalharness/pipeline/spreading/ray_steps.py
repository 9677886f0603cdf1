"""The steps of a series on a Ray cluster: each is scored whole on one node, into the run's folder."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from evalharness.errors import EvalHarnessError
from evalharness.pipeline.shared import Shared
from evalharness.pipeline.spreading.fleet import Abandoned, Fleet
from evalharness.pipeline.spreading.ray_cluster import cluster
from evalharness.pipeline.spreading.ray_members import RayHost
from evalharness.progress import Silent
from evalharness.settings.environment import from_environment
from evalharness.settings.score import NO_CLUSTER, ScoreOptions

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from evalharness.records import Scorecard


@dataclass(frozen=True, slots=True)
class StepOrder:
    """What a `StepScorer` is made from."""

    path: Path
    asked: Mapping[str, Any]

    def __call__(self) -> StepScorer:
        """Make it."""
        return StepScorer(self.path, self.asked)


@dataclass(frozen=True, slots=True)
class StepScorer:
    """A `Worker` that scores steps, one after the other."""

    path: Path
    asked: Mapping[str, Any]
    shared: Shared = field(default_factory=Shared)

    def work(self, items: Mapping[int, int]) -> Iterator[Mapping[int, Scorecard | Abandoned]]:
        """Yield the scorecard of each step, or why there is none."""
        from evalharness.pipeline.scoring import score

        for step in items:
            try:
                yield {step: score(self.path, {**self.asked, "step": step}, Silent(), self.shared).scorecard}
            except EvalHarnessError as error:
                yield {step: Abandoned(str(error))}


def score_steps(
    path: Path, asked: Mapping[str, Any], options: ScoreOptions, steps: Sequence[int]
) -> Iterator[tuple[int, Scorecard | Abandoned]]:
    """Yield each step with its scorecard, or why there is none, as they come.

    As many steps at a time as the cluster has GPUs, or cores for. Files must be at the same paths on all nodes. Raises
    what :func:`evalharness.pipeline.spreading.ray_cluster.cluster` raises.
    """
    cores = options.workers or 1
    alone = {"ray": NO_CLUSTER, "replicas": 1, "workers": cores}
    order = StepOrder(path, {**from_environment(ScoreOptions, os.environ), **asked, **alone})
    with cluster(options.ray) as joined:
        uses_gpus = joined.gpus > 0 and options.device != "cpu"
        room = joined.gpus if uses_gpus else joined.cpus // cores
        count = max(1, min(room, len(steps)))
        resources = {"num_cpus": cores, "num_gpus": int(uses_gpus)}
        host = RayHost(joined, count, lambda _: order, lambda _: resources)
        with Fleet[int, "Scorecard | Abandoned"](host, count) as fleet:
            yield from fleet.run({step: step} for step in steps)
