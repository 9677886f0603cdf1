"""``evalharness report``: a run's report, rebuilt from its records; or several runs beside each other."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from evalharness.commands.exit_codes import exit_codes
from evalharness.commands.terminal_progress import watcher

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalharness.report.parts import Part


@click.command(epilog=exit_codes())
@click.argument("folders", metavar="FOLDER…", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--plain", is_flag=True, help="Print the report in the terminal, as text.")
@click.option(
    "--figures",
    "formats",
    multiple=True,
    type=click.Choice(["png", "pdf"]),
    help="Write each figure as such a file, too; may be given twice.",
)
def report(folders: tuple[Path, ...], plain: bool, formats: tuple[Literal["png", "pdf"], ...]) -> None:
    """Rebuild the report of a run, or of one step, from its records, without the model.

    FOLDER is a run's folder below reports/, or that of one of its steps. Of several runs a table is printed: data,
    steps, method, verdict, loss and cause of each, and what those that failed share.

    \b
    evalharness report reports/leaky
    evalharness report reports/leaky --plain | less
    evalharness report reports/leaky --figures pdf
    evalharness report reports/v1 reports/v2 reports/v3
    """
    with watcher() as watching:
        # Said before anything is loaded, which takes seconds.
        watching.stage("reading the records", 1)
        from evalharness import pipeline

        if len(folders) == 1:
            renewed = pipeline.renew_report(folders[0], formats, watching)
        else:
            versions = pipeline.read_versions(folders)
    if len(folders) > 1:
        _print_versions(versions, is_text=plain or sys.stdout.isatty())
    elif plain:
        _print_text(renewed.document)
    else:
        click.echo(renewed.path)


def _print_versions(document: Sequence[Part], *, is_text: bool) -> None:
    """Runs beside each other: as text in a terminal, as Markdown elsewhere."""
    from evalharness.report import to_markdown

    if is_text:
        _print_text(document)
    else:
        click.echo(to_markdown(document), nl=False)


def _print_text(document: Sequence[Part]) -> None:
    from rich.console import Console

    from evalharness.report import to_terminal

    Console(highlight=False).print(to_terminal(document))
