"""``evalharness execute``: completions from elsewhere, run and judged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click
from click.core import ParameterSource

from evalharness.commands.exit_codes import INCOMPLETE, exit_codes
from evalharness.commands.options import Numbers, Several, settings_options
from evalharness.commands.terminal_progress import watcher
from evalharness.commands.whole_words import echo
from evalharness.settings.old_names import renamed
from evalharness.settings.score import NO_CLUSTER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalharness.pipeline.judging_files import ExecutedFile


@click.command(epilog=exit_codes())
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--problems",
    metavar="NAME|PATH",
    default="humaneval",
    show_default=True,
    help="humaneval, humaneval+, mbpp, mbpp+, warmup or a path.",
)
@click.option("--k", type=Numbers(), cls=Several, default=("1,10,100",), show_default=True, help="The k of pass@k.")
@click.option("--key", metavar="KEY", help="Name of the field with the completion, if it is not found without.")
@click.option(
    "--extract",
    type=click.Choice(["auto", "never"]),
    default="auto",
    show_default=True,
    help="Judge the code in the fence of a chat answer (auto), or the whole text.",
)
@click.option(
    "--results",
    "form",
    type=click.Choice(["jsonl", "parquet"]),
    default="jsonl",
    show_default=True,
    help="Form of the results; Parquet is written in parts.",
)
@click.option(
    "--part-rows",
    type=click.IntRange(1),
    metavar="N",
    help="Write the results in parts of N rows, into a folder.  [jsonl: all in one file, parquet: 100000]",
)
@settings_options("workers", "sandbox", "packages", "problem_paths", "ray")
@click.option("--mbpp", type=click.Path(path_type=Path), hidden=True, help="The old name of --problem-paths mbpp=PATH.")
@click.option("--json", "as_json", is_flag=True, help="Print pass@k with its intervals as JSON.")
def execute(
    file: Path,
    problems: str,
    k: tuple[int, ...],
    key: str | None,
    extract: Literal["auto", "never"],
    mbpp: Path | None,
    form: Literal["jsonl", "parquet"],
    part_rows: int | None,
    asked: dict[str, Any],
    as_json: bool,
) -> None:
    """Run another tool's completions in the sandbox, and judge them.

    FILE comes from human-eval ({"task_id", "completion"} per line), EvalPlus (a folder, too), bigcode, CodeGeeX, OLMES
    or lm-evaluation-harness. Each completion must say which problem it belongs to. Writes FILE_results.jsonl as
    human-eval does; each row also says why its program failed. A killed command goes on where it was.

    \b
    evalharness execute samples.jsonl
    evalharness execute samples.jsonl --problems mbpp --k 1
    evalharness execute generations_humaneval.json --k 1
    evalharness execute samples.jsonl --results parquet --part-rows 50000
    evalharness execute samples.jsonl --ray head-node:6379
    """
    from evalharness.pipeline.judging_files import judge_file
    from evalharness.pipeline.result_parts import Parts

    with watcher() as watching:
        result = judge_file(
            file,
            problems,
            k,
            key=key,
            workers=asked.get("workers"),
            sandbox=asked.get("sandbox", "auto"),
            packages=asked.get("packages", ()),
            extract=extract,
            ray=asked.get("ray", NO_CLUSTER),
            parts=Parts(form, part_rows),
            problem_paths=renamed({**asked, "mbpp": mbpp}).get("problem_paths"),
            watcher=watching,
        )
    context = click.get_current_context()
    asked_k = k if context.get_parameter_source("k") is ParameterSource.COMMANDLINE else ()
    if as_json:
        click.echo(to_json(result))
    else:
        for line in lines(result, asked_k):
            echo(line)
    context.exit(INCOMPLETE if result.incomplete else 0)


def to_json(result: ExecutedFile) -> str:
    """One object: pass@k with its intervals, the counts, and how the programs were isolated."""
    from evalharness.runs.json_values import plain

    return json.dumps({**plain(result), "results": str(result.results)})


def lines(result: ExecutedFile, asked_k: tuple[int, ...] = ()) -> Iterator[str]:
    """The same for people, and last, in one line, what human-eval prints.

    Each of ``asked_k`` has a line, also if it can't be given.
    """
    from evalharness.pipeline.judging import listed
    from evalharness.report.numbers import percent_interval

    yield f"{result.completions} completions of {result.problems} problems: " + ", ".join(
        f"{count} {verdict}" for verdict, count in result.outcomes.items()
    )
    yield from result.notes
    if result.problems < result.of_problems:
        missing = result.of_problems - result.problems
        yield f"{missing} of {result.of_problems} problems are not in the file: pass@k is over the others"
    if result.release is not None:
        yield f"problems: {result.release}"
    lacks = () if result.isolation.level == "A" else result.isolation.lacks  # doctor says what the best level lacks
    yield f"isolation: {result.isolation}" + "".join(f"; {lack}" for lack in lacks)
    if result.unsolved:
        yield f"problems whose own canonical solution fails: {listed(result.unsolved)}"
    if missing_k := [str(k) for k in asked_k if str(k) not in result.pass_at_k]:
        yield f"no pass@{', '.join(missing_k)}: a problem has fewer completions"
    elif not result.pass_at_k:
        yield "no pass@k: each problem needs at least k completions"
    for k, value in result.base_pass_at_k.items():
        yield f"pass@{k} on base tests: {percent_interval(value)}"
    all_tests = " on base and plus tests" if result.base_pass_at_k else ""
    for k, value in result.pass_at_k.items():
        yield f"pass@{k}{all_tests}: {percent_interval(value)}"
    yield f"written: {result.results}"
    yield str({f"pass@{k}": value.estimate for k, value in result.pass_at_k.items()})
