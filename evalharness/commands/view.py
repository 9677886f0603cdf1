"""``evalharness view``: a report's page in the browser, or the completions of several checkpoints side by side."""

from __future__ import annotations

import os
import sys
import webbrowser
from pathlib import Path

import click

from evalharness.commands.exit_codes import exit_codes
from evalharness.commands.options import Numbers, Several
from evalharness.commands.terminal_progress import watcher


@click.command(epilog=exit_codes())
@click.argument("folders", metavar="FOLDER…", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--steps", type=Numbers(), cls=Several, help="Show only these steps of a run.")
@click.option("--out", metavar="FOLDER", type=click.Path(path_type=Path), help="Where a page is made.  [FOLDER/view]")
@click.option("--no-open", is_flag=True, help="Only say where the page is.")
def view(folders: tuple[Path, ...], steps: tuple[int, ...] | None, out: Path | None, no_open: bool) -> None:
    """Open completions in the browser, with the report: filter them, or see checkpoints side by side.

    FOLDER is the folder of a scored checkpoint, or of a run. A run alone shows every step side by side: each prompt
    with what each step wrote. With several folders, the last step of each run is shown. The page of several checkpoints
    is made again each time. Where there is no display, the command only says where the page is.

    \b
    evalharness view reports/leaky
    evalharness view reports/leaky/step_1000
    evalharness view reports/leaky reports/causal
    evalharness view reports/tuned --steps 500,4000
    """
    with watcher() as watching:
        # Said before anything is loaded, which takes seconds.
        watching.stage("looking for scores", 1)
        from evalharness import pipeline

        page = pipeline.view(folders, steps=steps, out=out, watcher=watching).resolve()
    click.echo(page)
    if not no_open and has_display():
        webbrowser.open(page.as_uri())


def has_display() -> bool:
    """Whether a browser can show a page here. A browser of the terminal would run no script, and take it over."""
    return sys.platform in {"darwin", "win32"} or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
