"""Which completions a report shows. No choice depends on the order in which completions come."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from evalharness.records import NOT_BEGUN, Verdict
from evalharness.report.shares import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from evalharness.report.evidence import Scored

PROBLEMS_SHOWN = 3
WORST_SHOWN = 5


class _Bad(NamedTuple):
    """A degenerate completion; ``problem`` is the name of the set and the problem's in it."""

    problem: tuple[str, str]
    scored: Scored

    @property
    def kind(self) -> str:
        return str(self.scored.analysis.kind)


def worst(scored: Mapping[str, Sequence[Scored]]) -> list[Scored]:
    """Choose the worst completions over all problem sets, at most five, each of another problem.

    The longest loop of each kind, the commonest kind first; of kinds without a loop the first completion. Where there
    are fewer kinds than five, the longest loops of what is left.
    """
    bad = [_Bad((name, s.problem.task_id), s) for name, members in scored.items() for s in longest_loop_first(members)]
    bad.sort(key=lambda it: -looping_tokens(it.scored))
    counts = Counter(it.kind for it in bad)
    kinds = sorted(counts, key=lambda kind: (-counts[kind], list(KINDS).index(kind)))[:WORST_SHOWN]
    taken: dict[tuple[str, str], Scored] = {}
    # The rarest kind takes its problem first, for a common one has others to take.
    for kind in reversed(kinds):
        _take([it for it in bad if it.kind == kind], taken)
    of_kinds = sorted(taken.values(), key=lambda s: kinds.index(str(s.analysis.kind)))
    while len(taken) < WORST_SHOWN and _take(bad, taken):
        pass
    return [*of_kinds, *list(taken.values())[len(of_kinds) :]]


def choose(scored: Iterable[Scored]) -> list[tuple[str, Scored]]:
    """Choose at most three completions of different problems of one set, and say why each.

    The longest loop; the longest of another kind; the first that passed; a failure without a loop. What is missing is
    made up for by further ones.
    """
    ordered = sorted((s for s in scored if s.completion.stop_reason not in NOT_BEGUN), key=_order)
    bad = longest_loop_first(ordered)
    passed = [s for s in ordered if s.execution.verdict is Verdict.PASSED]
    failed = [s for s in ordered if s.execution.verdict is not Verdict.PASSED and not s.analysis.degenerate]
    longest = bad[:1]
    other_kind = [s for s in bad if s.analysis.kind != longest[0].analysis.kind] if longest else []
    wishes = [
        ("the longest loop" if longest and longest[0].analysis.loop else "degenerate without a loop", longest),
        ("another kind of degeneration", other_kind),
        ("passes", passed),
        ("fails without a loop", failed),
        *(2 * [("degenerates too", bad), ("passes too", passed), ("fails too", failed)]),
    ]
    chosen: list[tuple[str, Scored]] = []
    for why, candidates in wishes:
        taken = {c.problem.task_id for _, c in chosen}
        fitting = next((c for c in candidates if c.problem.task_id not in taken), None)
        if fitting is not None and len(chosen) < PROBLEMS_SHOWN:
            chosen.append((why, fitting))
    return chosen


def _take(candidates: Sequence[_Bad], taken: dict[tuple[str, str], Scored]) -> bool:
    """Put the first candidate of a problem that is not taken among those taken, if there is one."""
    fitting = next((it for it in candidates if it.problem not in taken), None)
    if fitting is not None:
        taken[fitting.problem] = fitting.scored
    return fitting is not None


def longest_loop_first(scored: Iterable[Scored]) -> list[Scored]:
    """Return those that are degenerate, those without a loop last."""
    bad = sorted((s for s in scored if s.analysis.degenerate), key=_order)
    return sorted(bad, key=lambda s: -looping_tokens(s))


def looping_tokens(scored: Scored) -> int:
    """Return how many tokens the loop covers; 0 without a loop."""
    first, end = scored.analysis.loop_tokens or (0, 0)
    return end - first


def _order(scored: Scored) -> tuple[list[tuple[int, str]], str, int]:
    """Problems as people number them, greedy before sampled."""
    parts = re.split(r"(\d+)", scored.problem.task_id)
    numbered = [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]
    return numbered, scored.completion.decoding, scored.completion.completion_id
