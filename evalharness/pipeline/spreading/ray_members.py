"""Members of a fleet that are Ray actors."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from evalharness.errors import EvalHarnessError, EvaluationError
from evalharness.pipeline.spreading.fleet import Lost, Member
from evalharness.pipeline.spreading.local_worker import Fault
from evalharness.pipeline.spreading.ray_cluster import last_line

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from evalharness.pipeline.spreading.fleet import Worker
    from evalharness.pipeline.spreading.ray_cluster import Cluster

WAIT_S = 1.0
FIRST_STARTED_S, STARTED_S = 300.0, 60.0
"""How long a member may take to start on a busy machine: the first one, and the others, asked for at the same time."""
TIDIED_S = 5.0


class Actor:
    """What runs in the process of an actor: it is asked for the results of a portion one by one."""

    def __init__(self, make: Callable[[], Worker], folder: str) -> None:
        self._make, self._folder = make, folder
        self._worker: Worker | None = None
        self._results: Iterator[Mapping[Any, Any]] = iter(())

    def ping(self) -> None:
        """Show that it has started."""

    def begin(self, items: Mapping[Any, Any]) -> None:
        """Take on a portion."""
        self._results = self._work(items)

    def more(self) -> Mapping[Any, Any] | Fault:
        """Work until there are more results."""
        try:
            return next(self._results)
        except EvalHarnessError as error:
            return Fault(str(error))

    def close(self) -> None:
        """Let go of what the worker holds."""
        close = getattr(self._worker, "close", None)
        if close is not None:
            close()

    def _work(self, items: Mapping[Any, Any]) -> Iterator[Mapping[Any, Any]]:
        if self._worker is None:
            with contextlib.suppress(OSError):  # who needs files of there says which are missing
                os.chdir(self._folder)
            self._worker = self._make()
        yield from self._worker.work(items)


class RayMember:
    """One actor."""

    def __init__(self, ray: Any, actor: Any) -> None:
        self._ray, self._actor = ray, actor
        self._left = 0
        self._closing: tuple[Any, float] | None = None
        self.pending: Any = None

    def give(self, items: Mapping[Any, Any]) -> None:
        """See `Member`."""
        self._left = len(items)
        try:
            self._actor.begin.remote(dict(items))
            self.pending = self._actor.more.remote()
        except self._ray.exceptions.RayError as error:
            raise _lost(error) from error

    def collect(self) -> Mapping[Any, Any]:
        """See `Member`."""
        try:
            results: Mapping[Any, Any] | Fault = self._ray.get(self.pending)
        except self._ray.exceptions.RayError as error:
            raise _lost(error) from error
        if isinstance(results, Fault):
            raise EvaluationError(results.message)
        self._left -= len(results)
        if self._left:
            self.pending = self._actor.more.remote()
        return results

    def leave(self) -> None:
        """See `Member`."""
        with contextlib.suppress(self._ray.exceptions.RayError):
            self._closing = self._actor.close.remote(), time.monotonic()

    def end(self) -> None:
        """See `Member`."""
        with contextlib.suppress(self._ray.exceptions.RayError):
            if self._closing is not None:
                asked, since_s = self._closing
                self._ray.wait([asked], timeout=max(0.0, since_s + TIDIED_S - time.monotonic()))
            self._ray.kill(self._actor)


@dataclass(slots=True)
class RayHost:
    """Starts actors: ``make_of`` gives the maker of the worker of a seat, ``options_of`` what Ray is told of it.

    All seats are asked for when the first one is, so that their processes start side by side.
    """

    cluster: Cluster
    size: int
    make_of: Callable[[int], Callable[[], Worker]]
    options_of: Callable[[int], Mapping[str, Any]]
    _asked_for: dict[int, tuple[Any, Any]] | None = field(default=None)
    _has_started: bool = False

    def start(self, number: int) -> RayMember:
        """See `Host`."""
        ray = self.cluster.ray
        if self._asked_for is None:
            self._asked_for = {seat: self._ask_for(seat) for seat in range(self.size)}
        is_asked_for = number in self._asked_for
        actor, started = self._asked_for.pop(number) if is_asked_for else self._ask_for(number)
        try:
            ray.get(started, timeout=STARTED_S if self._has_started else FIRST_STARTED_S)
        except ray.exceptions.RayError as error:
            ray.kill(actor)
            raise _lost(error) from error
        self._has_started = True
        return RayMember(ray, actor)

    def wait(self, members: Collection[Member]) -> list[Member]:
        """See `Host`."""
        by_pending = {member.pending: member for member in members if isinstance(member, RayMember)}
        ready, _ = self.cluster.ray.wait(list(by_pending), num_returns=1, timeout=WAIT_S)
        return [by_pending[each] for each in ready]

    def _ask_for(self, number: int) -> tuple[Any, Any]:
        options = {"max_restarts": 0, **self.options_of(number)}
        actor = self.cluster.ray.remote(Actor).options(**options).remote(self.make_of(number), os.getcwd())  # noqa: PTH109 - a text
        return actor, actor.ping.remote()


def _lost(error: BaseException) -> Lost:
    name = type(error).__name__
    if name in {"ActorDiedError", "ActorUnavailableError", "ActorUnschedulableError"}:
        return Lost("its Ray actor has died, or its node has left the cluster")
    if name == "GetTimeoutError":
        return Lost("no Ray actor has started in time: the cluster has no room for one, or is very busy")
    return Lost(f"its Ray actor failed: {last_line(error)}")
