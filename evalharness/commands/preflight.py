"""``evalharness preflight``: faults of model, data and loss, before training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from evalharness.commands.diagnose import outcome_lines
from evalharness.commands.exit_codes import FAILED, INCOMPLETE, exit_codes
from evalharness.commands.terminal_progress import watcher

if TYPE_CHECKING:
    from evalharness.diagnosis import Diagnosis


@click.command(epilog=exit_codes(done="no cause found", failed="a cause was found"))
@click.argument("manifest", type=click.Path(path_type=Path))
@click.option("--trust", is_flag=True, help="Allow a manifest from outside this folder to run its code.")
@click.option("--json", "as_json", is_flag=True, help="Print the whole diagnosis as JSON.")
def preflight(manifest: Path, trust: bool, as_json: bool) -> None:
    """Before you train, check whether the loss will be computed correctly.

    MANIFEST is an evalharness.toml, or a folder with one in it or above it. The model of its [model] is built as it is
    before training, and gets the first rows of its [data]. In a training script, call
    evalharness.preflight(model, batch) instead: it sees the real batch.

    \b
    evalharness preflight evalharness.toml
    evalharness preflight checkpoints/leaky || exit 1
    """
    from evalharness import pipeline

    with watcher() as watching:
        diagnosis = pipeline.preflight_manifest(manifest, trust=trust, watcher=watching)
    if as_json:
        click.echo(to_json(diagnosis))
    else:
        for line in outcome_lines(diagnosis, diagnosis.incomplete):
            click.echo(line)
    click.get_current_context().exit(FAILED if diagnosis.causes else INCOMPLETE if diagnosis.incomplete else 0)


def to_json(diagnosis: Diagnosis) -> str:
    """The whole diagnosis as one JSON object."""
    from evalharness.runs.json_values import plain

    return json.dumps(plain(diagnosis), indent=2, ensure_ascii=False, allow_nan=False)
