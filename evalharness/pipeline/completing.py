"""A completion for each request: what an earlier run left in the journal, and the rest made now by a `Generator`."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any, cast

from evalharness.progress import duration
from evalharness.progress.time_limit import OutOfTime
from evalharness.runs.json_values import digest, plain
from evalharness.runs.record_rows import completion_from
from evalharness.settings.declaration import names
from evalharness.settings.score import NO_CLUSTER

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from evalharness.generation import Decoding, Pace, Prompting, Request, Settings, TorchGenerator
    from evalharness.models.protocols import Generator
    from evalharness.pipeline.spreading.replica import Identity
    from evalharness.pipeline.work import Group, Work
    from evalharness.progress.time_limit import TimeLimit
    from evalharness.records import Completion
    from evalharness.runs.folder import RunFolder
    from evalharness.settings.score import DtypeName

Wanted = dict["Group", "list[Request]"]

COMPLETING, OF_WHAT_IS_LEFT = 0.4, 0.5
"""Completions may take this share of a limited time, and this share of what is left of it."""
RECORD_FORMAT = 1
"""Part of every key: raised when the same settings begin to give other records."""


def complete(
    work: Work, folder: RunFolder, settings: Settings, generator: Generator | None = None
) -> dict[Group, tuple[Completion, ...]]:
    """Return every completion that was asked for, by group, in the order of the problems.

    ``generator`` makes them; without one the checkpoint's own model does. In a limited time ``work`` is left with the
    problems whose completions were all made, at least one of each set.
    """
    prompting = _prompting(work)
    generator = generator or _own_generator(work, settings, prompting)
    wanted = _wanted(work, prompting, generator)
    keys = {_identity(r): _key(work, settings, prompting, r) for r in _all(wanted)}
    with folder.journal("completions") as journal:
        made = {i: completion_from(journal.known[key]) for i, key in keys.items() if key in journal.known}
        missing = [r for r in _all(wanted) if _identity(r) not in made]
        _say_estimate(work, settings, generator, missing, kept=len(made))
        work.watcher.stage("completing", len(missing))

        def make(requests: Sequence[Request]) -> Iterator[Completion]:
            for completion in generator.complete(requests):
                identity = (completion.task_id, completion.decoding, completion.completion_id)
                made[identity] = completion
                journal.append(keys[identity], plain(completion))
                work.watcher.advance()
                yield completion

        if work.limit is None:
            _exhaust(make(missing))
        elif not made_in_time(work, make, waves_of(work, settings, missing)):
            wanted = kept_whole(work, wanted, made)
            _exhaust(make([r for r in _all(wanted) if _identity(r) not in made]))
    return {group: tuple(made[_identity(r)] for r in requests) for group, requests in wanted.items()}


def longest_completing_s(limit: TimeLimit) -> float:
    """Seconds that completions may take: what comes after them keeps its share."""
    return min(limit.share_s(COMPLETING), OF_WHAT_IS_LEFT * max(0.0, limit.left_s))


def _exhaust(completions: Iterable[Completion]) -> None:
    for _ in completions:
        pass


def made_in_time(
    work: Work, make: Callable[[Sequence[Request]], Iterable[Completion]], waves: Iterable[Sequence[Request]]
) -> bool:
    """Whether all waves were made before the time of completions was over.

    The first wave has all the time that is left: its rows end together, and without them no verdict is reached.
    """
    limit = cast("TimeLimit", work.limit)
    part = limit.part(longest_completing_s(limit))
    try:
        for wave, bound in zip(waves, chain((limit,), repeat(part)), strict=False):
            with _stopped(work, bound):
                bound.check()
                for _ in make(wave):
                    bound.check()
    except OutOfTime:
        return False
    return True


def _stopped(work: Work, limit: TimeLimit) -> AbstractContextManager[None]:
    """Within it the model stops once ``limit`` is over."""
    from evalharness.models.torch.stopping import stopped_by

    return stopped_by(limit, work.checkpoint.model) if work.served is None else contextlib.nullcontext()


def waves_of(work: Work, settings: Settings, requests: Sequence[Request]) -> list[list[Request]]:
    """All completions of the first problems of every set, then those of the next ones, about a batch at a time.

    Replicas get one wave: they begin anew with each.
    """
    if work.options.replicas > 1:
        return [list(requests)]
    ranks = {problem.task_id: rank for s in work.sets for rank, problem in enumerate(s.problems)}
    by_rank: dict[int, list[Request]] = defaultdict(list)
    for request in requests:
        by_rank[ranks[request.task_id]].append(request)
    waves: list[list[Request]] = []
    for rank in sorted(by_rank):
        if not waves or len(waves[-1]) + len(by_rank[rank]) > settings.batch_size:
            waves.append([])
        waves[-1] += by_rank[rank]
    return waves


def kept_whole(work: Work, wanted: Wanted, made: Container[Identity]) -> Wanted:
    """Leave in ``work`` the first problems whose completions were all made, and return what is wanted of them.

    Without any: one problem of each set, greedily.
    """
    lacking = {r.task_id for r in _all(wanted) if _identity(r) not in made}
    ranks = [rank for s in work.sets for rank, problem in enumerate(s.problems) if problem.task_id in lacking]
    if not ranks:
        return wanted
    problems, samples = max(1, min(ranks)), work.options.samples if min(ranks) else 0
    before, every = work.options, max(len(s.problems) for s in work.sets)
    work.options = replace(work.options, limit=problems, samples=samples)
    work.sets = [s.first(problems) for s in work.sets]
    if (problems, samples) != (every, before.samples):
        words = cast("TimeLimit", work.limit).words
        left_out = f"{every - problems} problems of the largest set, {before.samples - samples} samples of each problem"
        work.watcher.say(
            f"within {words}: the time for completions is over: --limit {problems} --samples {samples}; "
            f"left out: {left_out}"
        )
    return {
        group: [r for r in requests if r.task_id in work.problems]
        for group, requests in wanted.items()
        if group[1] == "greedy" or samples
    }


def pace_of(work: Work, settings: Settings, limit: TimeLimit) -> Pace:
    """How fast the checkpoint's own model writes, by a batch of what it is asked for; the trial ends with ``limit``."""
    from evalharness.generation import TorchGenerator, measured_pace

    prompting = _prompting(work)
    checkpoint = work.checkpoint
    own = TorchGenerator(checkpoint.model, checkpoint.tokenizer, prompting, settings, checkpoint.token_mask)
    wanted = _wanted(work, prompting, own)
    with _stopped(work, limit):
        return measured_pace(own, [r for wave in waves_of(work, settings, _all(wanted)) for r in wave])


def _all(wanted: Wanted) -> list[Request]:
    return [r for requests in wanted.values() for r in requests]


def _prompting(work: Work) -> Prompting:
    from evalharness.generation import Prompting

    checkpoint = work.checkpoint
    return Prompting(checkpoint.prompt_template, checkpoint.begin_token_ids, checkpoint.end_token_ids)


def _own_generator(work: Work, settings: Settings, prompting: Prompting) -> Generator:
    """The other engine's model where there is one, else the checkpoint's."""
    from evalharness.generation import TorchGenerator

    if work.served is not None:
        from evalharness.models.endpoint import EndpointGenerator

        takes_ids = "ids_in" in work.served.capabilities
        tokenizer = work.checkpoint.tokenizer if takes_ids else None
        return EndpointGenerator(
            work.served, settings.max_new_tokens, settings.seed, tokenizer, prompting.end_token_ids
        )
    checkpoint = work.checkpoint
    alone = TorchGenerator(checkpoint.model, checkpoint.tokenizer, prompting, settings, checkpoint.token_mask)
    return alone if work.options.replicas == 1 else _replicated(work, alone)


def _replicated(work: Work, alone: TorchGenerator) -> Generator:
    """Replicas of the checkpoint: processes of this machine, or actors of a cluster."""
    from evalharness.pipeline.spreading.replica import ReplicaOrder
    from evalharness.pipeline.spreading.replicas import ReplicatedGenerator, local_host, ray_host

    checkpoint, options = work.checkpoint, work.options
    dtype = cast("DtypeName", checkpoint.dtype)
    order = ReplicaOrder(work.target, alone.prompting, alone.settings, checkpoint.info.fingerprint, dtype)
    if options.ray == NO_CLUSTER:
        return ReplicatedGenerator(alone, partial(local_host, order, checkpoint.device), options.replicas)
    return ReplicatedGenerator(alone, partial(ray_host, order, options.ray), options.replicas)


def _wanted(work: Work, prompting: Prompting, generator: Generator) -> dict[Group, list[Request]]:
    """Requests by group: with the ids of their prompts if the generator takes ids, else with the text alone."""
    from evalharness.generation import GREEDY, Decoding, requests_for

    options = work.options
    tokenizer = work.checkpoint.tokenizer if "ids_in" in generator.capabilities else None
    decodings: list[tuple[Decoding, int]] = [(GREEDY, 1)]
    if options.samples:
        decodings.append((Decoding("sampled", options.temperature, options.top_p, options.top_k), options.samples))
    return {
        (s.name, decoding.name): requests_for(s.problems, tokenizer, prompting, decoding, count)
        for s in work.sets
        for decoding, count in decodings
    }


def _identity(request: Request) -> Identity:
    return request.task_id, request.decoding.name, request.completion_id


def _key(work: Work, settings: Settings, prompting: Prompting, request: Request) -> str:
    """A digest of everything that could change the completion."""
    return digest(
        {
            "format": RECORD_FORMAT,
            "checkpoint": work.checkpoint.info.fingerprint,
            **({"torch": version("torch")} if work.served is None else {"server": work.served.identity}),
            "prompting": [prompting.template, prompting.begin_token_ids, sorted(prompting.end_token_ids)],
            "task_id": request.task_id,
            "completion_id": request.completion_id,
            "prompt_ids": request.prompt if request.prompt_ids is None else request.prompt_ids,
            "decoding": request.decoding.name,
            "settings": _in_force(work, settings, request),
            "stop": request.stop,
            "exact_lengths": settings.exact_lengths,
        }
    )


def _in_force(work: Work, settings: Settings, request: Request) -> dict[str, Any]:
    """Every setting that affects completions, as it is for one request: a greedy one has no temperature."""
    sources = (request.decoding, settings, work.checkpoint, work.options)
    return {
        name: next(getattr(source, name) for source in sources if hasattr(source, name))
        for name in names(type(work.options), "completions")
    }


def _say_estimate(work: Work, settings: Settings, generator: Generator, missing: Sequence[Request], kept: int) -> None:
    """Say what is about to be generated, how, and about how long it takes."""
    again = f", {kept} kept from the earlier run" if kept else ""
    how = f"batches of {settings.batch_size}, {work.checkpoint.dtype} on {work.checkpoint.device}"
    if work.options.replicas > 1:
        how += f", {work.options.replicas} replicas"
    if work.served is not None:
        how = f"{work.served.at_once} requests at a time to {work.served.server.address}"
    if work.options.backend == "vllm":
        how = "by vLLM"
    new_tokens = f"up to {settings.max_new_tokens} new tokens"
    work.watcher.say(f"{len(missing)} completions to make{again}: {new_tokens}, {how}, seed {settings.seed}")
    if work.limit is not None:
        work.watcher.say(
            f"completing stops after {duration(longest_completing_s(work.limit))}, or after the first batch (--within)"
        )
        return
    usual_s = generator.usual_s(missing) if missing else None
    if usual_s is not None and usual_s >= WORTH_SAYING_S:
        work.watcher.say(f"completing takes about {duration(usual_s)}, less if completions agree or end early")


WORTH_SAYING_S = 5
"""Whoever waits a few seconds needs no estimate."""
