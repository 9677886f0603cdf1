"""``evalharness watch``: each checkpoint as training writes it, a line each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from evalharness.commands.exit_codes import exit_codes
from evalharness.commands.options import settings_options
from evalharness.commands.step_lines import StepLines, kept_line
from evalharness.commands.terminal_progress import watcher


@click.command(epilog=exit_codes())
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--settle",
    "settle_s",
    type=click.FloatRange(0),
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="Score a checkpoint once its files have not changed for this long.",
)
@click.option(
    "--idle",
    "idle_s",
    type=click.FloatRange(0),
    metavar="SECONDS",
    help="Stop if no new checkpoint appears for this long.  [never]",
)
@settings_options(without=("step", "revision"))
def watch(folder: Path, settle_s: float, idle_s: float | None, asked: dict[str, Any]) -> None:
    """Score each checkpoint as training writes it, and keep the run's report up to date.

    FOLDER is where training writes its checkpoints. Prints one line per checkpoint. Stop it with Ctrl-C: everything is
    kept, and the same command continues with new checkpoints.

    \b
    evalharness watch runs/tuned --problems warmup --samples 2
    evalharness watch runs/tuned --idle 3600
    """
    from evalharness import pipeline

    with watcher() as watching:
        rows = StepLines(watching)
        for result in pipeline.watch(folder, asked, watching, settle_s=settle_s, idle_s=idle_s, ended=rows.show):
            if (kept := kept_line(result)) is not None:
                watching.show(kept)
