"""``evalharness run``: every checkpoint of a training run, a line each, and the report over all of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from evalharness.commands.exit_codes import INCOMPLETE, exit_codes
from evalharness.commands.log_to import log_scores, log_to_option
from evalharness.commands.options import Numbers, Several, settings_options
from evalharness.commands.step_lines import StepLines, kept_line, log_line
from evalharness.commands.terminal_progress import watcher
from evalharness.runs.paths import step_folder


@click.command(epilog=exit_codes(done="scored, whatever the verdicts"))
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--every", type=click.IntRange(1), metavar="N", help="Score every N-th checkpoint, counted back from the last."
)
@click.option("--last", type=click.IntRange(1), metavar="N", help="Score only the last N checkpoints.")
@click.option("--steps", type=Numbers(), cls=Several, help="Score only these steps.")
@settings_options(without=("step",))
@log_to_option
def run(
    folder: Path,
    every: int | None,
    last: int | None,
    steps: tuple[int, ...] | None,
    log_to: tuple[str, ...],
    asked: dict[str, Any],
) -> None:
    """Score every checkpoint of a training run, and write one report about all of them.

    FOLDER holds a series of checkpoints: step_500, checkpoint-500, ckpt_500.pt and so on. All are scored with the same
    settings. A step is not scored again unless something has changed. If a step can't be scored, the
    others still are. If the command is interrupted, start it again: it continues where it stopped.

    \b
    evalharness run checkpoints/causal_run
    evalharness run runs/tuned --every 2 --problems warmup
    evalharness run runs/tuned --steps 1000,2000
    """
    from evalharness import pipeline

    with watcher() as watching:
        rows = StepLines(watching)
        result = pipeline.run_series(folder, asked, pipeline.Choice(every, last, steps), watching, ended=rows.show)
    log_scores(log_to, result.folder, {result.folder / step_folder(s): c for s, c in result.scorecards.items()})
    for line in filter(None, (kept_line(result), log_line(result))):
        click.echo(line)
    if result.report is not None:
        click.echo(f"report   {result.report}")
    faulty = result.failures or any(card.incomplete for card in result.scorecards.values())
    click.get_current_context().exit(INCOMPLETE if faulty else 0)
