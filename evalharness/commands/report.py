"""``evalharness report``: a run's report, rebuilt from its records; or several runs beside each other."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from evalharness.commands.exit_codes import exit_codes

if TYPE_CHECKING:
    from collections.abc import Sequence


@click.command(epilog=exit_codes())
@click.argument("folders", metavar="FOLDER…", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--plain", is_flag=True, help="Print the report in the terminal, as text.")
@click.option(
    "--figures",
    "formats",
    multiple=True,
    type=click.Choice(["png", "pdf"]),
    help="Write each figure of the run as such a file, too; may be given twice.",
)
def report(folders: tuple[Path, ...], plain: bool, formats: tuple[Literal["png", "pdf"], ...]) -> None:
    """Rebuild a run's report from its records, without the model.

    FOLDER is a run's folder below reports/. The folder of one step works too: its report is only shown. Of several runs
    a table is printed: data, steps, method, verdict, loss and cause of each, and what those that failed share.

    \b
    evalharness report reports/leaky
    evalharness report reports/leaky --plain | less
    evalharness report reports/leaky --figures pdf
    evalharness report reports/v1 reports/v2 reports/v3
    """
    from evalharness import pipeline

    if len(folders) > 1:
        _print_versions(folders, is_text=plain or sys.stdout.isatty())
        return
    (folder,) = folders
    path = pipeline.renew_report(folder, formats)
    if not plain:
        click.echo(path)
        return
    from rich.console import Console

    from evalharness.report import to_terminal

    Console(highlight=False).print(to_terminal(pipeline.read_report(folder)))


def _print_versions(folders: Sequence[Path], *, is_text: bool) -> None:
    """Runs beside each other: as text in a terminal, as Markdown elsewhere."""
    from rich.console import Console

    from evalharness import pipeline
    from evalharness.report import to_markdown, to_terminal

    document = pipeline.read_versions(folders)
    if is_text:
        Console(highlight=False).print(to_terminal(document))
    else:
        click.echo(to_markdown(document), nl=False)
