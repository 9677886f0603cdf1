"""What a checkpoint solved once, in a small JSON file to commit, and how a later one compares with it.

It has the number of passed completions of each problem, because only pairs of results of one problem tell a fall from
chance, and what has to be equal for a comparison to mean anything.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evalharness.errors import BaselineError, StoreError
from evalharness.records import Verdict
from evalharness.runs import paths
from evalharness.runs.json_values import plain
from evalharness.runs.newer_settings import default_of, value_under
from evalharness.runs.record_rows import read_executions
from evalharness.settings.declaration import names_held_equal
from evalharness.settings.score import ScoreOptions
from evalharness.statistics import compare_pass_at_k

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from evalharness.records import Scorecard
    from evalharness.statistics import Comparison

VERSION = 1
_VERSION_KEY = "evalharness_baseline"
Counts = dict[str, tuple[int, int]]
"""Completions and how many of them passed, by problem."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """What was solved under which conditions.

    ``protocol`` has the names, sizes and digests of the problem sets, decoding and seed. ``passed`` is
    ``{problem set: {"greedy"|"sampled": {task_id: (completions, passed)}}}``.
    """

    checkpoint: Mapping[str, Any]
    protocol: Mapping[str, Any]
    passed: Mapping[str, Mapping[str, Counts]]


def baseline_of(card: Scorecard, folder: Path) -> Baseline:
    """What the scored checkpoint in ``folder`` solved. Raises :class:`StoreError` where that can't be read."""
    info, protocol = card.checkpoint, card.protocol
    return Baseline(
        checkpoint={"path": info.path, "step": info.step, "fingerprint": info.fingerprint},
        protocol={
            "problems": plain(protocol.problems),
            **{name: plain(value_under(protocol, name)) for name in names_held_equal(ScoreOptions)},
        },
        passed={
            name: {decoding: _counts(folder, paths.Group(name, decoding)) for decoding in by_decoding}
            for name, by_decoding in card.outcomes.items()
        },
    )


def to_json(baseline: Baseline) -> str:
    """The file, a line for each problem, so that a change of it can be read."""
    content = {
        _VERSION_KEY: VERSION,
        "checkpoint": baseline.checkpoint,
        "protocol": baseline.protocol,
        "passed": {
            name: {
                decoding: {task: f"{c} of {n}" for task, (n, c) in counts.items()} for decoding, counts in by.items()
            }
            for name, by in baseline.passed.items()
        },
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def read_baseline(path: Path) -> Baseline:
    """Read a file that :func:`to_json` made. Raises :class:`BaselineError`, one line, where it is none."""
    content = _content(path)
    broken = f"{path}: is a broken baseline"
    try:
        baseline = _read(content)
        faults = _lacking(baseline)
    except KeyError as error:
        raise BaselineError(f"{broken}: it lacks {error}") from error
    except (ValueError, TypeError, AttributeError) as error:
        raise BaselineError(
            f"{broken}: a value in it is not one that evalharness writes; make it again with --save-baseline"
        ) from error
    if faults:
        raise BaselineError(f"{broken}: {'; '.join(faults)}")
    return baseline


def _content(path: Path) -> dict[str, Any]:
    """The file's object, of this version."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BaselineError(
            f"{path}: there is no baseline; make one with: evalharness gate CKPT --save-baseline {path}"
        ) from None
    except OSError as error:
        raise BaselineError(f"{path}: can't be read: {error.strerror}") from error
    except ValueError as error:
        raise BaselineError(f"{path}: is not a baseline: not JSON ({str(error).splitlines()[0]})") from error
    version = content.get(_VERSION_KEY) if isinstance(content, dict) else None
    if version is None:
        raise BaselineError(f"{path}: is not a baseline: it has no {_VERSION_KEY!r}")
    if version != VERSION:
        raise BaselineError(f"{path}: is a baseline of version {version!r}, this evalharness reads {VERSION}; renew it")
    return dict(content)


def _read(content: Mapping[str, Any]) -> Baseline:
    passed = {
        name: {decoding: {task: _parsed(text) for task, text in counts.items()} for decoding, counts in by.items()}
        for name, by in content["passed"].items()
    }
    _ = content["checkpoint"]["path"]
    protocol = content["protocol"]
    return Baseline(content["checkpoint"], {**protocol, **_newer_settings(protocol)}, passed)


def _newer_settings(protocol: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that a baseline lacks because they are newer: their defaults, under which it was made."""
    return {name: default_of(name) for name in names_held_equal(ScoreOptions) if name not in protocol}


def _lacking(baseline: Baseline) -> list[str]:
    """Which problem sets have not as many results as problems: a comparison would be of those that are left."""
    sets = _sets(baseline.protocol)
    if not sets:
        return ["it lacks its problems"]
    decodings = ("greedy", "sampled") if baseline.protocol["samples"] else ("greedy",)
    return sorted(
        f"{name} has {decoding} results of {results} of {count} problems"
        for name, (count, _) in sets.items()
        for decoding in decodings
        if (results := len(baseline.passed.get(name, {}).get(decoding, {}))) != count
    )


def differences(baseline: Baseline, protocol: Mapping[str, Any]) -> list[str]:
    """What keeps a score under ``protocol`` from being compared, each with both values; empty where nothing does."""
    then_sets, now_sets = _sets(baseline.protocol), _sets(protocol)
    differing = [] if then_sets == now_sets else [_changed_problems(then_sets, now_sets)]
    differing += [
        f"{name} {baseline.protocol[name]} then, {protocol[name]} now"
        for name in names_held_equal(ScoreOptions)
        if baseline.protocol[name] != protocol[name]
    ]
    return differing


def refuse(path: Path, baseline: Baseline, protocol: Mapping[str, Any]) -> None:
    """Raise :class:`BaselineError` where what is scored under ``protocol`` can't be compared with a baseline."""
    reasons = differences(baseline, protocol)
    if reasons:
        raise BaselineError(f"{path}: can't be compared: {'; '.join(reasons)}")


def compare(path: Path, baseline: Baseline, now: Baseline) -> Comparison:
    """Compare pass@1 over all problems, paired: of the sampled completions, else of the greedy ones.

    One test over all problem sets, so that the rate of false alarms is that of one test. Raises :class:`BaselineError`
    where the baseline at ``path`` is of other problems, another decoding or another seed.
    """
    refuse(path, baseline, now.protocol)
    then_counts, now_counts = _compared(baseline), _compared(now)
    try:
        return compare_pass_at_k(then_counts, now_counts, 1, seed=now.protocol["seed"])
    except ValueError as error:
        raise BaselineError(f"{path}: can't be compared: {error}") from error


def solved(baseline: Baseline) -> int:
    """How many problems it passes, at least once, of those that :func:`compare` compares."""
    return sum(passed > 0 for _, passed in _compared(baseline).values())


def _counts(folder: Path, group: paths.Group) -> Counts:
    """Judged and passed completions of each problem; what could not be judged counts as nothing."""
    executions = read_executions(folder, group)
    if not executions:
        raise StoreError(f"{folder / group.executions}: there are no executions: score it again")
    counts: Counts = {}
    for execution in executions:
        judged, passed = counts.get(execution.task_id, (0, 0))
        if execution.verdict is not Verdict.NOT_JUDGED:
            counts[execution.task_id] = (judged + 1, passed + (execution.verdict is Verdict.PASSED))
    return counts


def _parsed(text: str) -> tuple[int, int]:
    passed, completions = map(int, text.split(" of "))
    if not 0 <= passed <= completions or not completions:
        raise ValueError(f"{text!r} is not such as '1 of 4'")
    return completions, passed


def _sets(protocol: Mapping[str, Any]) -> dict[str, tuple[int, str]]:
    return {item["name"]: (item["problems"], item["digest"]) for item in protocol["problems"]}


def _changed_problems(then: dict[str, tuple[int, str]], now: dict[str, tuple[int, str]]) -> str:
    if all(then.get(name, (0, ""))[0] == count for name, (count, _) in now.items()) and then.keys() == now.keys():
        changed = ", ".join(name for name in now if then[name] != now[name])
        return f"the problems of {changed} have changed"
    said = (", ".join(f"{name} ({count})" for name, (count, _) in sets.items()) for sets in (then, now))
    return "problems {} then, {} now".format(*said)


def _compared(baseline: Baseline) -> Counts:
    """The counts over all problem sets, of the sampled completions where there are any, else of the greedy ones."""
    decoding = "sampled" if baseline.protocol["samples"] else "greedy"
    return {task: counts for by in baseline.passed.values() for task, counts in by.get(decoding, {}).items()}
