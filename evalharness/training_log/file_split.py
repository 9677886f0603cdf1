"""Which split a file is of by its name, if its losses name none: ``eval_results.txt``, ``val/metrics.jsonl``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from evalharness.training_log.figure_names import SPLITS, TEST, words_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from evalharness.records import LossPoint
    from evalharness.training_log.open_log import OpenLog

SHORT = ("dev", TEST)
"""Words of a try as well: ``dev.log``."""


def of_validation_by_its_file(points: Sequence[LossPoint], log: OpenLog) -> Sequence[LossPoint]:
    """The losses as those of a validation, if only the name of their file, or of its folder, says what they are of."""
    if log.keys.train is not None or not _names_validation(log.path):
        return points
    named = [name for role, name in log.understood if role == "train"]
    says_split = any(SPLITS.get(word) for name in named for word in words_of(name))
    if says_split or not points or any(point.split == "validation" for point in points):
        return points
    log.note(f"the name of {log.path.name!r} says that its losses are of a validation")
    log.understood.update({("validation", name): log.understood.pop(("train", name)) for name in named})
    return [replace(point, split="validation") for point in points]


def _names_validation(path: Path) -> bool:
    """Whether the file's name says it, or else that of its folder and nothing else."""
    of_file = {word: SPLITS[word] for word in words_of(path.stem) if word in SPLITS and word not in SHORT}
    folder = path.parent.name.lower()
    of_folder = SPLITS.get(folder) if folder not in SHORT else None
    return set(of_file.values()) == {"validation"} if of_file else of_folder == "validation"
