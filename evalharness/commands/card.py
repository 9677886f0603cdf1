"""``evalharness card``: the figures of a score in a model card for the Hugging Face hub."""

from __future__ import annotations

from pathlib import Path

import click

from evalharness.commands.exit_codes import exit_codes


@click.command(epilog=exit_codes())
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--step", type=click.IntRange(0), metavar="N", help="The step of the run to show.  [the last]")
@click.option(
    "--readme",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="PATH",
    help="The README.md of the model's repository: written anew with the figures in it.  [print the card]",
)
@click.option("--name", metavar="NAME", help="The name of the model.  [what the README says, or the checkpoint's own]")
def card(folder: Path, step: int | None, readme: Path | None, name: str | None) -> None:
    """Write a score into a Hugging Face model card: its model-index, and a table with the intervals.

    FOLDER is a run's folder below reports/, or that of one step. Of a README that is there, all that others wrote
    stays; what evalharness wrote into it before is replaced.

    \b
    evalharness card reports/tuned
    evalharness card reports/tuned --step 4000 --readme my_model/README.md
    """
    from evalharness.errors import EvalHarnessError
    from evalharness.report.model_card import model_card
    from evalharness.runs.files import write_file
    from evalharness.runs.frames import load_run

    frames = load_run(folder)
    chosen = frames.last_step if step is None else step
    if chosen not in frames.scorecards:
        raise EvalHarnessError(f"{folder}: no step {chosen:,} was scored: expected one of {[*frames.scorecards]}")
    existing = readme.read_text(encoding="utf-8") if readme is not None and readme.is_file() else ""
    try:
        text = model_card(existing, frames.scorecards[chosen], name)
    except ValueError as error:  # what huggingface_hub raises for metadata that it can't read
        raise EvalHarnessError(f"{readme}: its metadata can't be read: {error}") from error
    if readme is None:
        click.echo(text)
    else:
        click.echo(write_file(readme, text))
