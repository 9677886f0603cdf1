"""Several replicas of a checkpoint as one generator: requests are dealt out by their problem."""

from __future__ import annotations

import contextlib
import hashlib
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from evalharness.errors import EvaluationError
from evalharness.pipeline.spreading.fleet import Abandoned, Fleet
from evalharness.pipeline.spreading.local_process import LocalHost
from evalharness.pipeline.spreading.ray_cluster import cluster
from evalharness.pipeline.spreading.ray_members import RayHost

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from evalharness.generation import Request, TorchGenerator
    from evalharness.models.protocols import Capability
    from evalharness.pipeline.spreading.fleet import Host
    from evalharness.pipeline.spreading.replica import ReplicaOrder
    from evalharness.records import Completion, Identity

BATCHES = 8
"""Batches of a portion, at least: a new portion waits for the last rows of the one before it."""
PORTIONS = 8
"""Portions for each replica, at most: those that are fast take more of them."""


@dataclass(frozen=True, slots=True)
class ReplicatedGenerator:
    """A :class:`evalharness.models.protocols.Generator` whose work ``count`` replicas do.

    ``alone`` is the generator of one process, which says what can be asked and how long it takes. ``host`` makes room
    for a number of replicas.
    """

    alone: TorchGenerator
    host: Callable[[int], AbstractContextManager[Host]]
    count: int

    @property
    def capabilities(self) -> frozenset[Capability]:
        """Those of one replica."""
        return self.alone.capabilities

    @property
    def context_length(self) -> int | None:
        """The longest input in tokens, None if it has no limit."""
        return self.alone.context_length

    def complete(self, requests: Sequence[Request]) -> Iterator[Completion]:
        """Yield a completion for each request as it arrives; the same ones that one process makes, in float32.

        Raises EvaluationError where the model fails, or where replicas end one after the other.
        """
        if not requests:
            return
        dealt = portions(requests, self.count, self.alone.settings.batch_size)
        count = min(self.count, len(dealt))
        with self.host(count) as host, Fleet["Request", "Completion"](host, count) as fleet:
            for _, made in fleet.run(dealt):
                if isinstance(made, Abandoned):
                    raise EvaluationError(
                        f"the replicas of the model end one after the other: {made.reason}; the same command goes on "
                        "from here, with fewer --replicas if memory is short"
                    )
                yield made

    def usual_s(self, requests: Sequence[Request]) -> float | None:
        """How many seconds ``requests`` take if each replica is as fast as one process."""
        alone_s = self.alone.usual_s(requests)
        return None if alone_s is None else alone_s / self.count


@contextlib.contextmanager
def ray_host(order: ReplicaOrder, address: str, count: int) -> Iterator[RayHost]:
    """Replicas on the nodes of a cluster: one per GPU if it has any and the device is no other, else a core each."""
    with cluster(address) as joined:
        gpus = int(joined.gpus > 0 and order.target.options.device != "cpu")
        yield RayHost(joined, count, lambda _: order, lambda _: {"num_cpus": 1, "num_gpus": gpus})


@contextlib.contextmanager
def local_host(order: ReplicaOrder, device: str, count: int) -> Iterator[LocalHost]:
    """Replicas on this machine: each on the next of its GPUs if ``device`` names none of them, else with its cores."""
    from evalharness.models.torch.placement import accelerators
    from evalharness.sandbox import usable_cores

    gpus = len(accelerators()) if device == "cuda" else 0
    threads = max(1, usable_cores() // count)

    def order_of(number: int) -> ReplicaOrder:
        return replace(order, device=f"cuda:{number % gpus}") if gpus else order

    yield LocalHost(order_of, {"OMP_NUM_THREADS": str(threads)})


def portions(requests: Sequence[Request], replicas: int, batch_size: int) -> list[Mapping[Identity, Request]]:
    """The requests in portions: all of a problem's in the same one, for they share most of their passes.

    Problems are dealt out in the order of their digests, so that the long ones of a set don't lie together.
    """
    by_task: dict[str, list[Request]] = defaultdict(list)
    for request in requests:
        by_task[request.task_id].append(request)
    count = max(replicas, min(PORTIONS * replicas, len(requests) // (BATCHES * batch_size)))
    dealt: list[dict[Identity, Request]] = [{} for _ in range(min(count, len(by_task)))]
    for place, task_id in enumerate(sorted(by_task, key=_digest)):
        dealt[place % len(dealt)].update({r.identity: r for r in by_task[task_id]})
    return list(dealt)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
