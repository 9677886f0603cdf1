"""``evalharness compare``: two or more checkpoints on the same problems, as tables, as Markdown or as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evalharness.commands.exit_codes import exit_codes
from evalharness.commands.options import settings_options
from evalharness.commands.terminal_progress import watcher

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalharness.pipeline import Compared


@click.command(epilog=exit_codes())
@click.argument("paths", metavar="A B…", nargs=-1, required=True, type=click.Path(path_type=Path))
@settings_options(without=("step", "log"))
@click.option("--markdown", "in_markdown", is_flag=True, help="Print the comparison as Markdown.")
@click.option("--json", "as_json", is_flag=True, help="Print the comparison as JSON.")
def compare(paths: tuple[Path, ...], in_markdown: bool, as_json: bool, asked: dict[str, Any]) -> None:
    """Compare checkpoints problem by problem: what changed, and whether it could be chance.

    A and B are scorecards, folders with a score, folders of a run (its last step is compared), checkpoints, which are
    scored first, or files with completions of any tool, which are judged first (--problems names their set, humaneval
    if not given). With more than two, the first is compared with each of the others.

    \b
    evalharness compare reports/leaky reports/causal
    evalharness compare reports/tuned/step_1000 reports/tuned/step_4000 --json
    evalharness compare old.pt new.pt --problems warmup
    evalharness compare old_samples.jsonl new_samples.jsonl --problems mbpp
    """
    from evalharness import pipeline

    if len(paths) < 2:
        raise click.UsageError("compare takes two or more: evalharness compare A B")
    with watcher() as watching:
        comparisons = pipeline.compare(paths, asked, watching)
    if as_json:
        click.echo(as_json_text(comparisons), nl=False)
    elif in_markdown:
        click.echo(as_markdown(comparisons), nl=False)
    else:
        _print(comparisons)


def as_markdown(comparisons: Sequence[Compared]) -> str:
    """All comparisons as Markdown, one after the other."""
    from evalharness.report import to_markdown

    return "\n".join(to_markdown(compared.document) for compared in comparisons)


def _print(comparisons: Sequence[Compared]) -> None:
    from rich.console import Console

    from evalharness.report import to_terminal

    for compared in comparisons:
        Console(highlight=False).print(to_terminal(compared.document))


def as_json_text(comparisons: Sequence[Compared]) -> str:
    """A list with one object per comparison."""
    from evalharness.report import comparison_record
    from evalharness.runs.json_values import plain

    rows = [
        comparison_record((c.first.name, c.second.name), (c.first.card, c.second.card), c.measures, c.notes)
        for c in comparisons
    ]
    return json.dumps(plain(rows), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
