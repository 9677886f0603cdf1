"""``evalharness report``: a run's report, rebuilt from its records."""

from __future__ import annotations

from pathlib import Path

import click

from evalharness.commands.exit_codes import exit_codes


@click.command(epilog=exit_codes())
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--plain", is_flag=True, help="Print the report in the terminal, as text.")
def report(folder: Path, plain: bool) -> None:
    """Rebuild a run's report from its records, without the model.

    FOLDER is a run's folder below reports/. The folder of one step works too: its report is only shown.

    \b
    evalharness report reports/leaky
    evalharness report reports/leaky --plain | less
    """
    from evalharness import pipeline

    path = pipeline.renew_report(folder)
    if not plain:
        click.echo(path)
        return
    from rich.console import Console
    from rich.markdown import Markdown

    from evalharness.report import to_terminal
    from evalharness.runs import paths

    is_step = paths.holds_score(folder)
    shown = Markdown(path.read_text(encoding="utf-8")) if is_step else to_terminal(pipeline.read_report(folder))
    Console(highlight=False).print(shown)
