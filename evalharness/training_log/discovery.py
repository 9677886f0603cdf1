"""Where training leaves its logs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from evalharness.training_log import tensorboard

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAMES = (
    "trainer_state.json",
    "train.log",
    "train.jsonl.log",
    "log.jsonl",
    "train_log.jsonl",
    "log.txt",
    "training.log",
    "metrics.jsonl",
)
OTHER_NAMES = (
    "*_log.jsonl",
    "*_metrics.jsonl",
    "*_losses.jsonl",
    "*_log.csv",
    "*_metrics.csv",
    "*_loss*.csv",
    "*_log.txt",
)
"""Names of one's own; of several such files nobody knows which is the run's."""
CONSOLES = ("*.log", "*.out", "*log*.txt", "*console*.txt", "*output*.txt", "stdout*.txt")
"""What a shell or a cluster calls the output of any program: one of these is a log if it speaks of a loss."""
SEARCHED_BYTES = 2**20
"""Banners, settings and downloads stand before the first loss."""
A_LOSS = re.compile(rb"(?:loss|nll|xent|bpb|ppl|perplexity)\b['\"]?\W{0,4}\d+[.,]\d", re.IGNORECASE)
LOG_FOLDERS = ("logs", "log")
EVENT_FOLDERS = ("", "runs", "logs", "tensorboard", "tb_logs", "lightning_logs")
CSV_PLACES = ("lightning_logs", "logs/*")
"""Where Lightning's logger writes its versions, and where litgpt and others have it write."""
DEEPEST = 3
"""A Hugging Face trainer writes events to ``runs/DATE_HOST/``, Lightning to ``lightning_logs/version_0/``."""


def find_logs(folder: Path) -> list[Path]:
    """Logs under their usual names in ``folder``, a file for each restart (``train.log``, ``train_2.log``) in order.

    Where there is none: the trainer state of the last ``checkpoint-N``, else Lightning's ``metrics.csv``, else the only
    log under another name (``v1_log.jsonl``), else the only output of a console that speaks of a loss, else the same in
    ``logs/``, else TensorBoard's event files, if TensorBoard is installed. The same run in another form is not read a
    second time.
    """
    for find in (_named, _last_trainer_state, _lightning, _only_other, _only_console, _in_log_folder, _events):
        if logs := list(find(folder)):
            return logs
    return []


def _only_other(folder: Path) -> Iterator[Path]:
    """The only log under a name of one's own."""
    yield from _only([path for path in _files(folder) if any(map(path.match, OTHER_NAMES))])


def _only_console(folder: Path) -> Iterator[Path]:
    yield from _only(consoles(folder))


def consoles(folder: Path) -> list[Path]:
    """The outputs of programs in a folder that speak of a loss."""
    outputs = (path for path in _files(folder) if any(map(path.match, CONSOLES)))
    return sorted(filter(_speaks_of_a_loss, outputs))


def _only(logs: list[Path]) -> list[Path]:
    return logs if len(logs) == 1 else []


def _speaks_of_a_loss(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return A_LOSS.search(file.read(SEARCHED_BYTES)) is not None
    except OSError:
        return False


def _in_log_folder(folder: Path) -> Iterator[Path]:
    for name in LOG_FOLDERS:
        for find in (_named, _only_other, _only_console):
            if logs := list(find(folder / name)):
                yield from logs
                return


def _named(folder: Path) -> Iterator[Path]:
    for name in NAMES:
        stem, dot, suffix = name.partition(".")
        restart = re.compile(rf"{stem}[._-]?(?:restart|resume|part|run)?[._-]?(\d+){re.escape(dot + suffix)}")
        if (folder / name).is_file():
            yield folder / name
        numbered = {int(match[1]): file for file in _files(folder) if (match := restart.fullmatch(file.name))}
        yield from (numbered[number] for number in sorted(numbered))


def _last_trainer_state(folder: Path) -> Iterator[Path]:
    """Each checkpoint's state has the history up to there."""
    yield from _last(folder, "checkpoint-*/trainer_state.json")


def _lightning(folder: Path) -> Iterator[Path]:
    """A version is a run of its own."""
    if (folder / "metrics.csv").is_file():
        yield folder / "metrics.csv"
    else:
        yield from next((found for place in CSV_PLACES if (found := _last_version(folder, place))), [])


def _last_version(folder: Path, place: str) -> list[Path]:
    """The table of the last version; none if several loggers have some, for each is a run of its own."""
    versions = _last(folder, f"{place}/version_*/metrics.csv")
    loggers = {path.parent.parent for path in folder.glob(f"{place}/version_*/metrics.csv")}
    return versions if len(loggers) == 1 else []


def _events(folder: Path) -> Iterator[Path]:
    if not tensorboard.can_read():
        return
    for name in EVENT_FOLDERS:
        levels = ["*/" * deep for deep in range(1 if not name else DEEPEST)]
        files = [p for level in levels for p in (folder / name).glob(f"{level}{tensorboard.NAMES[0]}") if p.is_file()]
        if files:
            yield from sorted(files, key=lambda path: _numbers(path.name))
            return


def _last(folder: Path, pattern: str) -> list[Path]:
    return sorted(folder.glob(pattern), key=lambda path: _numbers(path.parent.name))[-1:]


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_file()] if folder.is_dir() else []


def _numbers(name: str) -> tuple[list[int], str]:
    return [int(number) for number in re.findall(r"\d+", name)], name
