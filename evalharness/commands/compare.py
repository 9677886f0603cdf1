"""``evalharness compare``: two or more checkpoints on the same problems, as Markdown or JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evalharness.commands.options import settings_options
from evalharness.commands.terminal_progress import watcher

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalharness.pipeline import Compared


@click.command()
@click.argument("paths", metavar="A B…", nargs=-1, required=True, type=click.Path(path_type=Path))
@settings_options(without=("step",))
@click.option("--json", "as_json", is_flag=True, help="Print the comparison as JSON.")
def compare(paths: tuple[Path, ...], as_json: bool, asked: dict[str, Any]) -> None:
    """Compare checkpoints problem by problem: what changed, and whether it could be chance.

    A and B are scorecards, folders with a score, folders of a run (its last step is compared), or checkpoints, which
    are scored first. With more than two, the first is compared with each of the others.

    \b
    evalharness compare reports/leaky reports/causal
    evalharness compare reports/tuned/step_1000 reports/tuned/step_4000 --json
    evalharness compare old.pt new.pt --problems warmup
    """
    from evalharness import pipeline

    if len(paths) < 2:
        raise click.UsageError("compare takes two or more: evalharness compare A B")
    with watcher() as watching:
        comparisons = pipeline.compare(paths, asked, watching)
    click.echo(as_json_text(comparisons) if as_json else as_markdown(comparisons), nl=False)


def as_markdown(comparisons: Sequence[Compared]) -> str:
    """All comparisons, one after the other."""
    from evalharness.report import render_comparison

    return "\n".join(
        render_comparison((c.first.name, c.second.name), (c.first.card, c.second.card), c.measures, c.notes)
        for c in comparisons
    )


def as_json_text(comparisons: Sequence[Compared]) -> str:
    """A list with one object per comparison."""
    from evalharness.report import comparison_record
    from evalharness.runs.json_values import plain

    rows = [
        comparison_record((c.first.name, c.second.name), (c.first.card, c.second.card), c.measures, c.notes)
        for c in comparisons
    ]
    return json.dumps(plain(rows), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
