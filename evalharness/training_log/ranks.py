"""Lines of several processes in one log (``[rank1]: …``, ``rank=1``, ``1: …``): those of one of them are the run's."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from evalharness.training_log.several_runs import chosen_run

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from evalharness.training_log.open_log import OpenLog

HEAD_LINES = 1_000
"""A process that logs does so in these."""
PROCESS = r"(?:(?:global|process)[ _-]?)?(?:rank|gpu|worker|process|default)"
MARK = re.compile(
    rf"[\[(<]\s*{PROCESS}[ :=_#-]*(\d+)\s*[\])>]:?|^\W*{PROCESS}[ =_#-]*(\d+)\s*[:|\]]|(?<!\w)rank=(\d+)(?![\w.])"
    r"|[,;|] *rank: ?(\d+)(?![\w.])"
    r"|^\[\d+,(\d+)\](?:<\w+>)?:",
    re.IGNORECASE,
)
"""torch's and torchrun's, DeepSpeed's, those of loops of one's own, and Open MPI's."""
LABEL = re.compile(r"^\s*\[?(\d{1,5})\]?:(?=\s)")
"""What ``srun --label`` puts before a line; a step may stand there as well."""
STEP = re.compile(r"\b(?:global_step|step|iter(?:ation)?|it|update|batch)s?\b\W{0,3}(\d+)", re.IGNORECASE)
LOSS = re.compile(
    r"(?:loss|nll|ppl|perplexity|xent|bpb|val|train|eval)\b['\"]?\W{0,4}(?:is\s+)?(\d[\d.,]*)", re.IGNORECASE
)


@dataclass(slots=True)
class _Process:
    """The losses that one process has printed. Those of two are the same up to where the log is cut off."""

    losses: list[str] = field(default_factory=list)

    def agrees_with(self, other: _Process) -> bool:
        return all(mine == theirs for mine, theirs in zip(self.losses, other.losses, strict=False))


def blocks_of_one_process(log: OpenLog) -> Iterator[str]:
    """The unmarked lines of a log, and those of rank 0, or of the only process that has losses; many at a time.

    Raises :class:`LogError` where several ranks above 0 print different losses, and none of them is named as the run.
    """
    mark = _mark(list(itertools.islice(log.lines(), HEAD_LINES)))
    if mark is None:
        return log.blocks()
    return _of_rank(log, mark, _chosen(log, mark))


def _mark(head: Sequence[str]) -> re.Pattern[str] | None:
    """What marks the lines of a process; None where one process at most speaks."""
    return next((mark for mark in (MARK, LABEL) if _are_ranks(mark, head)), None)


def _are_ranks(mark: re.Pattern[str], head: Iterable[str]) -> bool:
    """Whether several processes mark lines. Plain labels are ranks if they alternate and two print the same step."""
    labelled = [(_rank(match), line[match.end() :]) for line in head if (match := mark.search(line))]
    ranks = [rank for rank, _ in labelled]
    if mark is MARK or len(set(ranks)) < 2:
        return len(set(ranks)) > 1
    steps = {(rank, match[1]) for rank, rest in labelled if (match := STEP.search(rest))}
    return ranks != sorted(ranks) and len(steps) > len({step for _, step in steps})


def _rank(match: re.Match[str]) -> int:
    return int(next(filter(None, match.groups())))


def _chosen(log: OpenLog, mark: re.Pattern[str]) -> int | None:
    """The rank whose lines are read; None for lines without a mark alone."""
    processes: dict[int | None, _Process] = {}
    for line in log.lines():
        match = mark.search(line)
        if losses := LOSS.findall(mark.sub("", line, count=1)):
            processes.setdefault(_rank(match) if match else None, _Process()).losses.extend(losses)
    ranks = sorted(rank for rank in processes if rank is not None)
    rank = _first_of(log, processes, ranks)
    if len(ranks) > 1:
        others = ", ".join(str(other) for other in ranks if other != rank)
        log.note(f"lines of {len(ranks)} processes: those of {_name(rank)} are read, not those of rank {others}")
    return rank


def _first_of(log: OpenLog, processes: dict[int | None, _Process], ranks: Sequence[int]) -> int | None:
    names = {_name(rank): rank for rank in ranks}
    if log.keys.run is not None:
        return names[chosen_run(log, list(names)) or ""]
    if 0 in processes or not ranks:
        return 0
    if None in processes:
        return None
    if all(processes[ranks[0]].agrees_with(processes[rank]) for rank in ranks[1:]):
        return ranks[0]
    return names[chosen_run(log, list(names)) or ""]


def _name(rank: int | None) -> str:
    return "no rank" if rank is None else f"rank {rank}"


def _of_rank(log: OpenLog, mark: re.Pattern[str], rank: int | None) -> Iterator[str]:
    """The lines of a rank without its mark, and those without one; the others are blank, so that numbers stay."""
    for line in log.lines():
        match = mark.search(line)
        if match is None:
            yield line
        else:
            yield mark.sub("", line, count=1).lstrip(" ") if _rank(match) == rank else "\n"
