"""A completion for each request: what an earlier run left in the journal, and the rest made now by a `Generator`."""

from __future__ import annotations

from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, cast

from evalharness.pipeline.completing_in_time import (
    by_rank,
    every_request,
    kept_whole,
    longest_completing_s,
    make_in_time,
    stopped,
)
from evalharness.pipeline.estimating import WORTH_SAYING_S, token_s
from evalharness.progress import duration
from evalharness.runs.json_values import digest, plain
from evalharness.runs.record_rows import completion_from
from evalharness.settings.declaration import names
from evalharness.settings.score import NO_CLUSTER

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from evalharness.generation import Decoding, Pace, Prompting, Request, Settings, TorchGenerator
    from evalharness.models.protocols import Generator
    from evalharness.pipeline.work import Group, Work
    from evalharness.progress.time_limit import TimeLimit
    from evalharness.records import Completion
    from evalharness.runs.folder import RunFolder
    from evalharness.settings.score import DtypeName

OF_TRIAL = 0.5
"""The share of a trial in which prompts are read; what is left shows how fast tokens follow."""
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
    keys = {r.identity: _key(work, settings, prompting, r) for r in every_request(wanted)}
    with folder.journal("completions") as journal:
        made = {i: completion_from(journal.known[key]) for i, key in keys.items() if key in journal.known}
        missing = [r for r in every_request(wanted) if r.identity not in made]
        _say_estimate(work, settings, generator, missing, kept=len(made))
        work.watcher.stage("completing", len(missing))

        def make(requests: Sequence[Request]) -> Iterator[Completion]:
            for completion in generator.complete(requests):
                made[completion.identity] = completion
                journal.append(keys[completion.identity], plain(completion))
                work.watcher.advance()
                yield completion

        if work.limit is None:
            _exhaust(make(missing))
        else:
            make_in_time(work, settings, make, missing)
            wanted = kept_whole(work, wanted, made)
            _exhaust(make([r for r in every_request(wanted) if r.identity not in made]))
    return {group: tuple(made[r.identity] for r in requests) for group, requests in wanted.items()}


def _exhaust(completions: Iterable[Completion]) -> None:
    for _ in completions:
        pass


def pace_of(work: Work, settings: Settings, limit: TimeLimit) -> Pace:
    """How fast the checkpoint's own model writes, by a batch of what it is asked for; the trial ends with ``limit``."""
    from evalharness.generation import TorchGenerator, measured_pace

    prompting = _prompting(work)
    checkpoint = work.checkpoint
    own = TorchGenerator(checkpoint.model, checkpoint.tokenizer, prompting, settings, checkpoint.token_mask)
    wanted = _wanted(work, prompting, own)
    with stopped(work, limit):
        return measured_pace(own, quickly_read(work, every_request(wanted), OF_TRIAL * limit.left_s))


def quickly_read(work: Work, requests: Sequence[Request], seconds: float) -> list[Request]:
    """Those about the first problems, as many as the model reads in ``seconds``; at least one problem of each set."""
    few: list[Request] = []
    prompts: set[tuple[int, ...]] = set()
    for rank in by_rank(work, requests):
        prompts |= {r.prompt_ids for r in rank if r.prompt_ids is not None}
        if few and sum(map(len, prompts)) * token_s(work) > seconds:
            break
        few += rank
    return few


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
