"""Logs that count iterations, where several of them are one step of the optimizer, by which checkpoints are named.

litgpt logs so if it accumulates gradients. ``hyperparameters.yaml`` beside its weights says how many iterations a step
has, and its console names both: ``iter 300 step 150``.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from evalharness.training_log.tables import DELIMITERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from evalharness.records import LogPoint
    from evalharness.training_log.open_log import OpenLog

BOTH = re.compile(r"\biter(?:ation)?\W{1,3}(\d+)\W+(?:\w+ )?step\W{1,3}(\d+)\b(?![.,]\d)")
"""An iteration, and the steps that are done."""
SEEN_LINES = 1_000
HYPERPARAMETERS = "hyperparameters.yaml"
LOGGERS = ("csv", "tensorboard")
COLUMNS = frozenset(("iter", "iter_time", "step"))
"""Those of litgpt's table, whose ``step`` is an iteration."""
ASK = "its steps are iterations; set [log] iterations_per_step to how many of them are a step of the optimizer"


def iterations_per_step(log: OpenLog, *, is_printed: bool) -> int:
    """How many of the log's steps are one of the optimizer: as it was told, as litgpt's file or its lines say, else 1.

    It is noted what was found, or what is missing. ``is_printed``: the log has lines, not rows.
    """
    if told := log.keys.iterations_per_step:
        return told
    pairs = _pairs(log) if is_printed and _counts_iterations(log) else []
    if is_printed and _between(pairs) <= {1}:
        return 1
    folder = log.path.parent if is_printed else _run_folder(log.path)
    named = {} if folder is None else {file: _accumulated(file) for file in _hyperparameters(folder)}
    counts = set(named.values()) or _between(pairs)
    if len(counts) == 1 and (count := counts.pop()):
        if count > 1:
            source = next((file.name for file in named), "its lines")
            log.note(f"its steps are iterations, {count} of them one step of the optimizer ({source}): converted")
        return count
    if pairs or named or _is_litgpts_table(log):
        log.note(ASK)
    return 1


def in_steps(points: Iterable[LogPoint], per_step: int) -> Iterator[LogPoint]:
    """The points at the step of the optimizer that their iteration is part of.

    litgpt counts from 1 when it tunes, and from 0 when it trains: the last of a step has the same one both ways.
    """
    return (replace(point, step=-(-point.step // per_step)) for point in points)


def _counts_iterations(log: OpenLog) -> bool:
    return any(role == "step" and name.startswith("iter") for role, name in log.understood)


def _pairs(log: OpenLog) -> Sequence[tuple[int, int]]:
    lines = (line.lower() for line in itertools.islice(log.lines(), SEEN_LINES) if "iter" in line)
    return [(int(match[1]), int(match[2])) for line in lines if (match := BOTH.search(line))]


def _between(pairs: Sequence[tuple[int, int]]) -> set[int]:
    """The numbers of iterations after which the steps that are done would be these."""
    if not any(step for _, step in pairs):
        return set()
    least = max(iteration // (step + 1) + 1 for iteration, step in pairs)
    most = min(iteration // step for iteration, step in pairs if step)
    return set(range(least, most + 1))


def _run_folder(path: Path) -> Path | None:
    """The folder of litgpt's run whose logger wrote a file: ``logs/csv/version_0/metrics.csv`` lies in it."""
    version = path.resolve().parent
    logger, logs = version.parent, version.parent.parent
    is_its = version.name.startswith("version_") and logger.name in LOGGERS and logs.name == "logs"
    return logs.parent if is_its else None


def _hyperparameters(folder: Path) -> list[Path]:
    return [file for place in (folder, *sorted(folder.glob("*/"))) if (file := place / HYPERPARAMETERS).is_file()]


def _accumulated(file: Path) -> int | None:
    """The iterations of a step, by batch sizes and devices; None if the file does not say."""
    import yaml  # noqa: PLC0415 - only this file is YAML

    try:
        values = yaml.safe_load(file.read_text(encoding="utf-8"))
        train, devices, nodes = values["train"], values["devices"], values.get("num_nodes", 1)
        return (
            _whole(train["global_batch_size"]) // (_whole(devices) * _whole(nodes)) // _whole(train["micro_batch_size"])
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError, ZeroDivisionError, yaml.YAMLError):
        return None


def _whole(value: Any) -> int:
    if type(value) is not int:
        raise ValueError(f"{value!r} is no whole number")
    return value


def _is_litgpts_table(log: OpenLog) -> bool:
    head = log.head()
    return any(COLUMNS.issubset(head[0].split(mark)) for mark in DELIMITERS) if head else False
