"""``evalharness init``: an ``evalharness.toml`` of a few lines, from what lies in a folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from evalharness.commands.exit_codes import exit_codes
from evalharness.commands.terminal_progress import watcher

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalharness.pipeline.initialising import Initialised


@click.command(epilog=exit_codes())
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False), default=Path())
@click.option("--trust", is_flag=True, help="Run the code in the folder, to try which class makes the model.")
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON.")
def init(folder: Path, trust: bool, as_json: bool) -> None:
    """Write an evalharness.toml for a folder from the weights, code, tokenizer, data and logs found there.

    The class of your code that fits the weights by names and shapes is found by trying it, so your code is run: with
    --trust, or if you say yes on a terminal. A manifest that is there already is never written over. What could not be
    found is listed with the key that names it.

    \b
    evalharness init
    evalharness init runs/first --trust
    """
    from evalharness import pipeline

    with watcher() as watching:
        result = pipeline.initialise(folder, watching, trust=trust)
    if as_json:
        click.echo(json.dumps(as_dict(result), indent=2))
    else:
        for line in lines(result):
            click.echo(line)


def as_dict(result: Initialised) -> dict[str, object]:
    """For ``--json``."""
    return {
        "checkpoint": str(result.checkpoint),
        "path": None if result.path is None else str(result.path),
        "lines": [str(line) for line in result.lines],
        "missing": result.missing,
    }


def lines(result: Initialised) -> Iterator[str]:
    """The manifest as it was written, what is missing, and what to do next."""
    yield "nothing needs a manifest here" if result.path is None else f"wrote {result.path}:"
    yield from (f"  {line}" for line in result.lines)
    yield from (f"not found: {missing}" for missing in result.missing)
    yield f"next: evalharness score {result.checkpoint}"
