"""A Ray cluster: how it is reached, which machines it has, and whether they run the same versions as this one."""

from __future__ import annotations

import contextlib
import logging
import os
import platform
import signal
import socket
import sys
import threading
from dataclasses import dataclass, fields
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, TypeVar

from evalharness.errors import EvalHarnessError, EvaluationError
from evalharness.sandbox.clocks import usable_cores
from evalharness.settings.score import NO_CLUSTER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

T = TypeVar("T")
REACHED_S = 10.0
ANSWERED_S = 300.0
"""A node's first process of Python takes seconds to start, and longer if many start at once."""
STORE_BYTES = 128 << 20
"""Of a cluster that is started here: programs and records are small."""


@dataclass(frozen=True, slots=True)
class Node:
    """One machine of a cluster."""

    name: str
    cpus: int
    gpus: int


@dataclass(frozen=True, slots=True)
class Versions:
    """What must be the same on all nodes: results of one are used on another."""

    python: str
    evalharness: str
    ray: str


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster that this process has joined; ``ray`` is the library, ``nodes`` by their ids."""

    ray: Any
    nodes: dict[str, Node]

    @property
    def gpus(self) -> int:
        """GPUs of all nodes."""
        return sum(node.gpus for node in self.nodes.values())

    @property
    def cpus(self) -> int:
        """Cores of all nodes, as the cluster counts them."""
        return sum(node.cpus for node in self.nodes.values())

    def on(self, node: str) -> Any:
        """Where a task or an actor runs that belongs on one node."""
        return self.ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(node, soft=False)


@contextlib.contextmanager
def cluster(address: str) -> Iterator[Cluster]:
    """Join the cluster at ``address``, or go on in one that this process has joined already.

    ``auto`` is the cluster that this machine or ``RAY_ADDRESS`` knows, else one that is started here and ends with the
    block; ``local`` always starts one. Raises EvalHarnessError without Ray, EvaluationError if the cluster can't be
    reached or its nodes have other versions.
    """
    ray = library()
    is_new = not ray.is_initialized()
    with contextlib.redirect_stdout(sys.stderr):  # Ray tells of dead actors there
        try:
            is_own = is_new and _join(ray, address)
            found = Cluster(ray, _nodes(ray))
            if is_new and not is_own:
                _check_alike(found, address)
            yield found
        finally:
            if is_new:
                ray.shutdown()


def joined(address: str) -> AbstractContextManager[object]:
    """The same for a whole command that may need a cluster several times; nothing if it needs none."""
    return contextlib.nullcontext() if address == NO_CLUSTER else cluster(address)


def library() -> Any:
    """The ``ray`` package. Raises EvalHarnessError, with the way to install it, where it is missing."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    handler = signal.getsignal(signal.SIGTERM)
    try:
        import ray
        import ray.util.scheduling_strategies
    except ImportError as error:
        raise EvalHarnessError("--ray needs the package ray: pip install 'evalharness[ray]'") from error
    _put_back(handler)
    return ray


def _join(ray: Any, address: str) -> bool:
    """Join the cluster, and return whether it was started for that: its one node is then this machine as it is."""
    handler = signal.getsignal(signal.SIGTERM)
    if ":" in address:
        _check_answers(address)
    try:
        if address != "local":
            with contextlib.suppress(*([ConnectionError] if address == "auto" else [])):
                ray.init(address=address, logging_level=logging.ERROR, log_to_driver=False)
        is_own = not ray.is_initialized()
        if is_own:
            _start(ray)
    except (ConnectionError, RuntimeError, ValueError, TimeoutError, ray.exceptions.RayError) as error:
        if ray.is_initialized():
            ray.shutdown()
        raise EvaluationError(_why_not_joined(address, str(error))) from error
    finally:
        _put_back(handler)
    return is_own


def _start(ray: Any) -> None:
    ray.init(
        address="local",
        num_cpus=usable_cores(),
        object_store_memory=STORE_BYTES,
        include_dashboard=False,
        logging_level=logging.ERROR,
        log_to_driver=False,
    )


def _put_back(handler: Any) -> None:
    """Ray takes over the signal that ends a process; this project tidies up when it comes."""
    if handler is not None and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, handler)


def _check_answers(address: str) -> None:
    """Ray itself tries for a minute where nobody answers."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=REACHED_S).close()
    except (OSError, OverflowError) as error:
        raise EvaluationError(
            f"--ray {address}: no cluster answers there ({error}): start one by ray start --head, or correct it"
        ) from error


def _why_not_joined(address: str, reason: str) -> str:
    words = " ".join(reason.split())
    if "Version mismatch" in words:
        return f"--ray {address}: install the same versions of Ray and Python here and there: {words}"
    return f"--ray {address}: the cluster can't be joined: {words[:300]}"


def _nodes(ray: Any) -> dict[str, Node]:
    return {
        node["NodeID"]: Node(
            node["NodeManagerHostname"], int(node["Resources"].get("CPU", 0)), int(node["Resources"].get("GPU", 0))
        )
        for node in ray.nodes()
        if node["Alive"]
    }


def on_a_node(address: str, function: Callable[..., T], *given: Any) -> T:
    """What a function returns on a node of the cluster, in a folder of the same path as this process's."""
    with cluster(address) as found:
        task = found.ray.remote(_in_folder).remote(os.getcwd(), function, given)  # noqa: PTH109 - a text
        returned: T = found.ray.get(task)
    return returned


def _in_folder(folder: str, function: Callable[..., T], given: tuple[Any, ...]) -> T:
    os.chdir(folder)
    return function(*given)


def versions() -> Versions:
    """Those of this machine."""
    return Versions(platform.python_version(), version("evalharness"), version("ray"))


def _check_alike(found: Cluster, address: str) -> None:
    """Ask every node for its versions."""
    ray = found.ray
    ask = ray.remote(versions)
    asked = {node: ask.options(num_cpus=0, scheduling_strategy=found.on(node)).remote() for node in found.nodes}
    answers = []
    for node, answer in asked.items():
        try:
            answers.append((found.nodes[node].name, ray.get(answer, timeout=ANSWERED_S)))
        except ray.exceptions.GetTimeoutError as error:
            raise EvaluationError(
                f"--ray {address}: node {found.nodes[node].name} has not answered for {ANSWERED_S:.0f} s: look whether "
                "it is overloaded, and give the command again"
            ) from error
        except ray.exceptions.RayError as error:
            raise EvaluationError(
                f"--ray {address}: node {found.nodes[node].name} can't run evalharness ({last_line(error)}): "
                f"pip install 'evalharness[ray]=={version('evalharness')}' there"
            ) from error
    check_versions(address, versions(), answers)


def check_versions(address: str, here: Versions, nodes: Sequence[tuple[str, Versions]]) -> None:
    """Raise EvaluationError for the first node that has another version of something than this machine."""
    for name, there in nodes:
        for item in fields(Versions):
            ours, theirs = getattr(here, item.name), getattr(there, item.name)
            if ours != theirs:
                raise EvaluationError(
                    f"--ray {address}: node {name} has {item.name} {theirs}, and this machine {ours}: install the same "
                    "version on all nodes"
                )


def last_line(error: BaseException) -> str:
    """Of what happened on a node, the line that says most."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1][:300] if lines else type(error).__name__
