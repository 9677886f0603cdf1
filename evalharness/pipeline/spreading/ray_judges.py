"""Judging on a Ray cluster: actors that own a sandbox each, calibrated on their own node."""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

from evalharness.errors import SandboxError
from evalharness.pipeline.judges import (
    Conditions,
    OwnJudges,
    Ruling,
    SandboxChoice,
    calibrated,
    conditions,
    of_job,
)
from evalharness.pipeline.spreading.fleet import Abandoned, Fleet
from evalharness.pipeline.spreading.local_worker import Fault
from evalharness.pipeline.spreading.ray_cluster import cluster, last_line
from evalharness.pipeline.spreading.ray_members import RayHost
from evalharness.records import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Any

    from evalharness.pipeline.spreading.ray_cluster import Cluster
    from evalharness.progress import Watcher
    from evalharness.records import Execution, Problem
    from evalharness.sandbox import Calibration, Job, Sandbox

PROGRAMS = 200
"""Programs of a portion, at most: some seconds of work, which is lost with its actor."""
MOST_KNOWN = 100_000
"""Rulings that are kept for programs which come again."""
ROUNDS = 4
"""Portions for each actor, at least, if there are few programs: the last ones end at about the same time."""


@dataclass(frozen=True, slots=True)
class Program:
    """A job without its problem, which the actors have."""

    task_id: str
    text: str
    whole: bool


@dataclass(frozen=True, slots=True)
class JudgeOrder:
    """What a `Judge` is made from; calling it opens its sandbox."""

    choice: SandboxChoice
    problems: tuple[Problem, ...]
    calibration: Calibration

    def __call__(self) -> Judge:
        """Open the sandbox. Raises SandboxError."""
        box = self.choice.opened(self.problems)
        box.__enter__()
        box.allow(self.calibration)
        return Judge({p.task_id: p for p in self.problems}, box, conditions(box, self.choice, self.calibration))


@dataclass(frozen=True, slots=True)
class Judge:
    """A `Worker` that judges programs in a sandbox of its own; a portion is judged whole before it is handed back."""

    problems: Mapping[str, Problem]
    box: Sandbox
    conditions: Conditions

    def work(self, items: Mapping[int, Program]) -> Iterator[Mapping[int, Ruling]]:
        """Yield all rulings at once."""
        jobs = ((number, self._job(program)) for number, program in items.items())
        yield {ruling.number: ruling for ruling in OwnJudges(self.box, self.conditions).run(jobs)}

    def close(self) -> None:
        """Remove the sandbox's folder."""
        self.box.__exit__()

    def _job(self, program: Program) -> Job:
        from evalharness.sandbox import Job

        return Job(program.task_id, 0, self.problems[program.task_id], program.text, program.whole)


@dataclass(frozen=True, slots=True)
class RayJudges:
    """Judges on the nodes of a cluster; ``by_node`` has the conditions of those that can isolate programs."""

    cluster: Cluster
    choice: SandboxChoice
    problems: tuple[Problem, ...]
    by_node: Mapping[str, Conditions]
    programs: int

    @property
    def places(self) -> Sequence[Conditions]:
        """The conditions of the nodes, each once."""
        different: list[Conditions] = []
        for place in self.by_node.values():
            if place not in different:
                different.append(place)
        return different

    def run(self, jobs: Iterable[tuple[int, Job]]) -> Iterator[Ruling]:
        """See `Judges`. Identical programs are judged once; those whose actors are lost twice are ``not_judged``."""
        seats = self._seats()
        size = min(PROGRAMS, max(1, math.ceil(self.programs / (ROUNDS * len(seats)))))
        seats = seats[: max(1, math.ceil(self.programs / size))]
        twins = Twins(jobs)
        with Fleet[Program, Ruling](self._host(seats), len(seats)) as fleet:
            for number, ruling in fleet.run(twins.portions(size)):
                yield from twins.settled(number, ruling)
                yield from twins.known_already()
            yield from twins.known_already()

    def _seats(self) -> list[str]:
        """The node of each actor: as many on a node as it has cores for, the nodes in turn."""
        cores = self.choice.workers or 1
        room = {node: self.cluster.nodes[node].cpus // cores for node in self.by_node}
        seats = [node for turn in range(max(room.values())) for node in room if turn < room[node]]
        if not seats:
            most = max(self.cluster.nodes[node].cpus for node in self.by_node)
            raise SandboxError(f"--workers {cores}: no node of the cluster has so many cores, the largest has {most}")
        return seats

    def _host(self, seats: Sequence[str]) -> RayHost:
        choice = replace(self.choice, workers=self.choice.workers or 1)

        def order_of(number: int) -> JudgeOrder:
            return JudgeOrder(choice, self.problems, self.by_node[seats[number]].calibration)

        def options_of(number: int) -> Mapping[str, Any]:
            return {"num_cpus": choice.workers, "scheduling_strategy": self.cluster.on(seats[number])}

        return RayHost(self.cluster, len(seats), order_of, options_of)


class Twins:
    """Jobs under way: those with the same program are judged once, and get the same execution."""

    def __init__(self, jobs: Iterable[tuple[int, Job]]) -> None:
        self._jobs = iter(jobs)
        self._under_way: dict[int, list[tuple[int, Job]]] = {}
        self._first: dict[str, int] = {}
        self._known: dict[str, Ruling] = {}
        self._ready: list[Ruling] = []

    def portions(self, size: int) -> Iterator[Mapping[int, Program]]:
        """Programs that no other is like, ``size`` at a time."""
        different = self._different()
        while portion := dict(islice(different, size)):
            yield portion

    def settled(self, number: int, ruling: Ruling | Abandoned) -> Iterator[Ruling]:
        """The ruling on a program, for each job that has it. What could not be judged is not kept for later ones."""
        waiting = self._under_way.pop(number)
        fingerprint = waiting[0][1].fingerprint
        del self._first[fingerprint]
        if isinstance(ruling, Ruling) and ruling.execution.verdict is not Verdict.NOT_JUDGED:
            self._known[fingerprint] = ruling
            if len(self._known) > MOST_KNOWN:
                del self._known[next(iter(self._known))]
        for twin, job in waiting:
            yield _for_job(twin, job, ruling)

    def known_already(self) -> Iterator[Ruling]:
        """The rulings on jobs whose program was judged before they came."""
        ready, self._ready = self._ready, []
        yield from ready

    def _different(self) -> Iterator[tuple[int, Program]]:
        for number, job in self._jobs:
            fingerprint = job.fingerprint
            if fingerprint in self._known:
                self._ready.append(_for_job(number, job, self._known[fingerprint]))
            elif fingerprint in self._first:
                self._under_way[self._first[fingerprint]].append((number, job))
            else:
                self._first[fingerprint] = number
                self._under_way[number] = [(number, job)]
                yield number, Program(job.task_id, job.text, job.whole)


def _for_job(number: int, job: Job, ruling: Ruling | Abandoned) -> Ruling:
    if isinstance(ruling, Abandoned):
        from evalharness.sandbox import verdicts

        return Ruling(number, "", verdicts.not_run(job, Verdict.NOT_JUDGED, f"lost twice: {ruling.reason}"))
    return replace(ruling, number=number, execution=_execution(ruling, job))


def _execution(ruling: Ruling, job: Job) -> Execution:
    return of_job(ruling.execution, job)


@contextlib.contextmanager
def ray_judges(
    address: str, choice: SandboxChoice, problems: Sequence[Problem], watcher: Watcher, programs: int
) -> Iterator[RayJudges]:
    """Judges on the nodes of a cluster, each calibrated by ``problems``; ``programs`` is about how many will come.

    A node that can't isolate programs judges none. Raises SandboxError if none can, and what
    :func:`evalharness.pipeline.spreading.ray_cluster.cluster` raises.
    """
    with cluster(address) as joined:
        watcher.stage("calibrating the nodes", 1)
        by_node = {}
        refused = []
        for node, found in _calibrated(joined, choice, tuple(problems)).items():
            if isinstance(found, Conditions):
                by_node[node] = found
            else:
                refused.append(f"node {joined.nodes[node].name} judges no programs: {found.message}")
        watcher.advance()
        for line in refused:
            watcher.say(line)
        if not by_node:
            raise SandboxError(f"--ray {address}: {refused[0] if refused else 'the cluster has no node with a core'}")
        watcher.say(f"judging on {len(by_node)} nodes with {sum(joined.nodes[n].cpus for n in by_node)} cores")
        yield RayJudges(joined, choice, tuple(problems), by_node, programs)


def _calibrated(joined: Cluster, choice: SandboxChoice, problems: tuple[Problem, ...]) -> dict[str, Conditions | Fault]:
    """What came of calibrating each node that has a core, all at the same time."""
    ray = joined.ray
    measure, shared = ray.remote(conditions_here), ray.put(problems)
    asked = {
        node: measure.options(num_cpus=1, scheduling_strategy=joined.on(node), max_retries=1).remote(
            replace(choice, workers=max(found.cpus, choice.workers or 1)), shared
        )
        for node, found in joined.nodes.items()
        if found.cpus
    }
    return {node: _answer(ray, answer) for node, answer in asked.items()}


def conditions_here(choice: SandboxChoice, problems: tuple[Problem, ...]) -> Conditions | Fault:
    """Open a sandbox on this node and measure how fast programs run in it."""
    try:
        with choice.opened(problems) as box:
            return conditions(box, choice, calibrated(box, problems))
    except SandboxError as error:
        return Fault(str(error))


def _answer(ray: Any, answer: Any) -> Conditions | Fault:
    try:
        found: Conditions | Fault = ray.get(answer)
    except ray.exceptions.RayError as error:
        return Fault(last_line(error))
    return found
