"""``evalharness log``: the losses that training logged, as they were read."""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evalharness.commands.exit_codes import exit_codes
from evalharness.commands.terminal_progress import watcher
from evalharness.records import EntropyPoint

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rich.table import Table

    from evalharness.progress import Watcher
    from evalharness.records import LogPoint
    from evalharness.training_log import TrainingLog, UnderstoodColumn

ROWS = 40
"""At most this many steps are shown of a longer log: a screen's worth."""


@click.command(epilog=exit_codes())
@click.argument("files", metavar="FILE…", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--run", metavar="NAME", help="The run to read of a file that has several.")
@click.option("--all", "whole", is_flag=True, help="Show every step, even of a long log.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per loss.")
def log(files: tuple[Path, ...], run: str | None, whole: bool, as_json: bool) -> None:
    """Show the losses in a training log.

    FILE is the output of a training loop, JSONL, a trainer_state.json, a CSV of Lightning, W&B, MLflow or TensorBoard,
    a metric file of MLflow, a document with a table of losses, an event file of TensorBoard, or a folder with logs
    under their usual names. Several files are one run that was restarted: of a step logged twice, the later counts.
    If training logged an entropy, it has a column of its own. The manifest's [log] says which name is the step and
    which are the losses, if evalharness can't tell.

    \b
    evalharness log checkpoints/causal/train.log
    evalharness log runs/first.log runs/restarted.log --all
    evalharness log runs/tuned --json > losses.jsonl
    evalharness log wandb_export.csv --run lr-3e-4
    """
    with watcher() as watching:
        losses = read_losses(files, watching, run)
    if as_json:
        for line in losses.json_lines():
            click.echo(line)
        return
    from rich.console import Console

    Console(highlight=False).print(losses.table(whole=whole))


@dataclass(frozen=True, slots=True)
class LoggedLosses:
    """The losses of a run."""

    log: TrainingLog

    def json_lines(self) -> Iterator[str]:
        """One object per loss, which ``log`` reads as well. JSON has no NaN and no infinity: those are strings."""
        for point in self.log.points:
            loss = point.loss_nats if math.isfinite(point.loss_nats) else _odd(point.loss_nats)
            yield json.dumps({**dataclasses.asdict(point), "loss_nats": loss})
        for entropy in self.log.entropies:
            yield json.dumps(dataclasses.asdict(entropy))

    def table(self, *, whole: bool = False) -> Table:
        """One row per step, the best validation loss marked; about :data:`ROWS` of them unless ``whole``."""
        from rich.table import Table

        steps = self._by_step()
        best = self._best()
        shown = list(steps) if whole else _some(steps, best)
        caption = f"{len(shown):,} of {len(steps):,} steps; --all shows them all" if len(shown) < len(steps) else None
        columns = [column for column in _COLUMNS if any(column.cell(points) for points in steps.values())]
        table = Table(caption=caption, caption_justify="left", box=None, pad_edge=False)
        for column in ("step", *(column.name for column in columns), "read from"):
            table.add_column(column, justify="left" if column == "read from" else "right")
        for step in shown:
            cells = [column.cell(steps[step]) for column in columns]
            mark = " (best)" if step == best else ""
            table.add_row(f"{step:,}", *cells, _sources(steps[step]) + mark)
        return table

    def _by_step(self) -> Mapping[int, Mapping[str, LogPoint]]:
        steps: dict[int, dict[str, LogPoint]] = {}
        for entropy in self.log.entropies:
            steps.setdefault(entropy.step, {})["entropy"] = entropy
        for point in self.log.points:
            steps.setdefault(point.step, {})[point.split] = point
        return dict(sorted(steps.items()))

    def _best(self) -> int | None:
        finite = [p for p in self.log.points if p.split == "validation" and math.isfinite(p.loss_nats)]
        return min(finite, key=lambda point: point.loss_nats).step if finite else None


def read_losses(paths: Sequence[Path], watcher: Watcher, run: str | None = None) -> LoggedLosses:
    """Read logs, or the logs in one folder, as their manifest's ``[log]`` tells, and say how.

    Raises :class:`LogError` where one can't be read.
    """
    from evalharness.pipeline.loading import log_keys
    from evalharness.settings.manifest import find_manifest
    from evalharness.training_log import read_named

    keys = log_keys(find_manifest(paths[0]).log)
    keys = dataclasses.replace(keys, run=run) if run else keys
    log = read_named(paths, keys)
    for file in log.files:
        entropies = f" and {len(file.entropies):,} entropies" if file.entropies else ""
        watcher.say(f"{file.path}: {len(file.points):,} losses{entropies}, read as {file.form}")
        for column in file.columns:
            watcher.say(f"  {_shown(column)}")
    for note in log.notes:
        watcher.say(note)
    return LoggedLosses(log)


def _shown(column: UnderstoodColumn) -> str:
    """``validation: val ppl (5.9, 5.4): by its name``."""
    names = ", ".join(name for name in column.names if name)
    return f"{column.role}: {names} ({', '.join(f'{value:g}' for value in column.examples)}): {_SURE[column.sure]}"


_SURE = {
    "told": "as [log] says",
    "name": "by its name",
    "form": "by its form; if that is wrong, name another under [log]",
}


@dataclass(frozen=True, slots=True)
class _Column:
    name: str
    series: str | None = None

    def cell(self, points: Mapping[str, LogPoint]) -> str:
        if self.series is not None:
            return _nats(_value(points[self.series])) if self.series in points else ""
        values = [getattr(point, self.name) for point in points.values() if getattr(point, self.name) is not None]
        return "" if not values else _WRITTEN[self.name](values[0])


_COLUMNS = (
    _Column("epoch"),
    _Column("time_s"),
    _Column("train", "train"),
    _Column("validation", "validation"),
    _Column("entropy", "entropy"),
)


def _value(point: LogPoint) -> float:
    return point.entropy_nats if isinstance(point, EntropyPoint) else point.loss_nats


def _moment(time_s: float) -> str:
    return datetime.fromtimestamp(time_s, UTC).isoformat(" ", "seconds").removesuffix("+00:00")


_WRITTEN: Mapping[str, Any] = {"epoch": "{:.4g}".format, "time_s": _moment}


def _sources(points: Mapping[str, LogPoint]) -> str:
    """``train.log:4, 5``: each file once, with its lines or tags."""
    files: dict[str, list[str]] = {}
    for source in dict.fromkeys(point.source for point in points.values()):
        file, _, place = source.partition(":")
        files.setdefault(file, []).append(place)
    return "; ".join(f"{file}:{', '.join(places)}" for file, places in files.items())


def _some(steps: Mapping[int, Mapping[str, LogPoint]], best: int | None) -> list[int]:
    """The first step, the last, the best and others spread evenly: those with a validation loss where some have one."""
    if len(steps) <= ROWS:
        return list(steps)
    telling = [step for step, points in steps.items() if "validation" in points] or list(steps)
    chosen = {telling[round(i * (len(telling) - 1) / (ROWS - 3))] for i in range(ROWS - 2)}
    ends = {next(iter(steps)), next(reversed(steps)), best}
    return [step for step in steps if step in chosen | ends]


def _nats(loss: float) -> str:
    """Four decimals, and what is too small for them as a power of ten: such losses are worth to be seen."""
    return f"{loss:.4f}" if loss == 0 or not abs(loss) < 0.001 else f"{loss:.1e}"


def _odd(loss: float) -> str:
    """As ``json`` writes it, and every reader of numbers in strings knows it."""
    return "NaN" if math.isnan(loss) else "Infinity" if loss > 0 else "-Infinity"
