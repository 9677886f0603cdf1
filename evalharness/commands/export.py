"""``evalharness export``: the completions and verdicts of a score, as logs of another tool."""

from __future__ import annotations

from pathlib import Path

import click

from evalharness.commands.exit_codes import exit_codes


@click.command(epilog=exit_codes())
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--inspect",
    is_flag=True,
    required=True,
    expose_value=False,
    help="Write .eval logs, which inspect_ai's viewer opens.",
)
@click.option(
    "--out", type=click.Path(path_type=Path), default="logs", show_default=True, help="The folder to write them into."
)
def export(folder: Path, out: Path) -> None:
    """Write the completions and verdicts of a score as logs of inspect_ai.

    FOLDER is that of one scored step. Each problem set and decoding is one log. It needs inspect_ai.

    \b
    evalharness export --inspect reports/tuned/step_4000
    inspect view --log-dir logs
    """
    from evalharness.pipeline.exporting import export_inspect

    for file in export_inspect(folder, out):
        click.echo(file)
