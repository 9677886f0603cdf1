"""The losses that training logged. One reader a file; ``READERS`` is where a new form is added."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalharness.errors import LogError
from evalharness.training_log import jsonl, lines, trainer_state

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from evalharness.records import LossPoint

__all__ = ["find_logs", "logged_validation", "read_log"]

READERS: dict[str, Callable[[str, str], Iterator[LossPoint]]] = {
    ".jsonl": jsonl.read,
    ".json": trainer_state.read,
    ".log": lines.read,
    ".txt": lines.read,
}
NAMES = (
    "trainer_state.json",
    "train.log",
    "train.jsonl.log",
    "log.jsonl",
    "train_log.jsonl",
    "log.txt",
    "training.log",
)


def find_logs(folder: Path) -> list[Path]:
    """Logs under their usual names in ``folder``."""
    return [folder / name for name in NAMES if (folder / name).is_file()]


def read_log(path: Path) -> list[LossPoint]:
    """Read all losses of one file, in its order. Raises :class:`LogError` where it can't be read or holds none."""
    try:
        text = path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise LogError(f"{path}: can't be read: {error.strerror}") from error
    points = list(READERS.get(path.suffix, lines.read)(text, path.name))
    if not points:
        raise LogError(f"{path}: no losses found in it (expected lines, JSONL or a trainer state)")
    return points


def logged_validation(points: Iterable[LossPoint], step: int | None) -> LossPoint | None:
    """The last logged validation loss at ``step`` (anywhere, where the step isn't known); None where there is none."""
    validation = [p for p in points if p.split == "validation" and step in {None, p.step}]
    return validation[-1] if validation else None
