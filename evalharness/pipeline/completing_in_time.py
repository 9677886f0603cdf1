"""Completions in a limited time: a wave of problems at a time, as long as there is time for one more."""

from __future__ import annotations

import contextlib
from bisect import bisect_right
from collections import defaultdict
from dataclasses import replace
from itertools import accumulate
from typing import TYPE_CHECKING, cast

from evalharness.progress.time_limit import OutOfTime

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from evalharness.generation import Pace, Request, Settings
    from evalharness.pipeline.work import Group, Work
    from evalharness.progress.time_limit import TimeLimit
    from evalharness.records import Completion, Identity

Wanted = dict["Group", "list[Request]"]
Rank = list["Request"]
"""All requests about the problems of one place: of the first problem of every set, of the second, and so on."""

COMPLETING, OF_WHAT_IS_LEFT = 0.5, 2 / 3
"""Completions may take this share of a limited time, and this share of what is left of it."""


def longest_completing_s(limit: TimeLimit) -> float:
    """Seconds that completions may take: what comes after them keeps its share."""
    return min(limit.share_s(COMPLETING), OF_WHAT_IS_LEFT * max(0.0, limit.left_s))


def make_in_time(
    work: Work,
    settings: Settings,
    make: Callable[[Sequence[Request]], Iterable[Completion]],
    missing: Sequence[Request],
) -> None:
    """Make completions until all are made or the time for them is over.

    The first wave has all the time that is left: its rows end together, and without them no verdict is reached.
    """
    limit = cast("TimeLimit", work.limit)
    part = limit.part(longest_completing_s(limit))
    bound = limit
    with contextlib.suppress(OutOfTime):
        for wave in waves(work, settings, missing, part):
            with stopped(work, bound):
                bound.check()
                for _ in make(wave):
                    bound.check()
            bound = part


def waves(work: Work, settings: Settings, requests: Sequence[Request], part: TimeLimit) -> Iterator[list[Request]]:
    """The requests of some problems of every set, then those of the next ones: about a batch at a time at most.

    The first wave is what there is time for if no completion ends early, at least one problem of every set. Later ones
    go by how much sooner those before them ended. Replicas get one wave: they begin anew with each.
    """
    if work.options.replicas > 1:
        yield list(requests)
        return
    ranks, begun = by_rank(work, requests), part.clock()
    count, longest_s = max(1, _affordable(work, settings, ranks, part.left_s)), 0.0
    while ranks and count:
        taken = min(count, _in_a_batch(ranks, settings.batch_size))
        wave, ranks = ranks[:taken], ranks[taken:]
        yield [request for rank in wave for request in rank]
        longest_s += _longest_s(work, settings, wave)
        taken_s = part.clock() - begun
        count = _affordable(work, settings, ranks, part.left_s * longest_s / taken_s) if taken_s else len(ranks)


def _in_a_batch(ranks: Sequence[Rank], batch_size: int) -> int:
    """How many of the first ranks make up a batch, at least one."""
    rows = accumulate(map(len, ranks))
    return max(1, sum(count <= batch_size for count in rows))


def _affordable(work: Work, settings: Settings, ranks: Sequence[Rank], seconds: float) -> int:
    """How many of the first ranks there is time for in ``seconds`` if none of their completions ends early."""
    counts = range(1, len(ranks) + 1)
    return bisect_right(counts, seconds, key=lambda count: _longest_s(work, settings, ranks[:count]))


def _longest_s(work: Work, settings: Settings, ranks: Sequence[Rank]) -> float:
    """Seconds that these ranks take if none of their completions ends early."""
    prompts = len({request.task_id for rank in ranks for request in rank})
    return cast("Pace", work.pace).longest_s(prompts, sum(map(len, ranks)), settings.max_new_tokens)


def by_rank(work: Work, requests: Iterable[Request]) -> list[Rank]:
    """The requests by the place of their problem in its set."""
    places = {problem.task_id: place for s in work.sets for place, problem in enumerate(s.problems)}
    ranks: dict[int, Rank] = defaultdict(list)
    for request in requests:
        ranks[places[request.task_id]].append(request)
    return [ranks[place] for place in sorted(ranks)]


def stopped(work: Work, limit: TimeLimit) -> AbstractContextManager[None]:
    """Within it the model stops once ``limit`` is over."""
    from evalharness.models.torch.stopping import stopped_by

    return stopped_by(limit, work.checkpoint.model) if work.served is None else contextlib.nullcontext()


def every_request(wanted: Wanted) -> list[Request]:
    """The requests of all groups."""
    return [request for requests in wanted.values() for request in requests]


def kept_whole(work: Work, wanted: Wanted, made: Container[Identity]) -> Wanted:
    """Leave in ``work`` the first problems whose completions were all made, and return what is wanted of them.

    Without any: one problem of each set, greedily.
    """
    lacking = {r.task_id for r in every_request(wanted) if r.identity not in made}
    places = [place for s in work.sets for place, problem in enumerate(s.problems) if problem.task_id in lacking]
    if not places:
        return wanted
    problems, samples = max(1, min(places)), work.options.samples if min(places) else 0
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
