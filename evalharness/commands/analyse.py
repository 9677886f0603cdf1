"""``evalharness analyse``: degeneration in completions from elsewhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from evalharness.commands.exit_codes import exit_codes
from evalharness.commands.options import Names, Several
from evalharness.commands.terminal_progress import watcher
from evalharness.commands.whole_words import echo

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalharness.pipeline.analysing import Analysed, AnalysedFiles, Summary


WORST = 10
"""At most this many degenerate completions are listed unless all are asked for: a screen holds them and the summary."""


@click.command(epilog=exit_codes())
@click.argument("files", metavar="FILE…", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--key", metavar="KEY", help="The key that holds the text, if evalharness does not know it.")
@click.option(
    "--tokenizer", type=click.Path(path_type=Path), help="A tokenizer.json: loops are then found in tokens, too."
)
@click.option(
    "--problems",
    type=Names(),
    cls=Several,
    help="Where to find the prompts, by task id: humaneval, humaneval+, mbpp, mbpp+, warmup or paths.",
)
@click.option(
    "--extract",
    type=click.Choice(["auto", "never"]),
    default="never",
    show_default=True,
    help="Measure only the code in the fence of a chat answer (auto), or the whole text.",
)
@click.option("--all", "whole", is_flag=True, help=f"List every degenerate completion, not only the {WORST} worst.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per completion, and a summary last.")
def analyse(
    files: tuple[Path, ...],
    key: str | None,
    tokenizer: Path | None,
    problems: tuple[str, ...] | None,
    extract: Literal["auto", "never"],
    whole: bool,
    as_json: bool,
) -> None:
    """Find loops and other degeneration in completions from any tool.

    FILE comes from human-eval, EvalPlus (samples or eval_results.json), bigcode (generations_*.json),
    lm-evaluation-harness (samples_*.jsonl) or inspect_ai (if it is installed). Any JSONL with a text under completion,
    output, generated, text or --key works, each also as .gz, and so does the folder of a run. Only what the model wrote
    is measured: if a text begins with its prompt and the prompt is known, the prompt is cut off.

    The ten worst completions are listed, then a summary. Worst are those that lose the largest share of their text to a
    loop, or all of it to an echo or gibberish; of equal shares the longest loop. Loops after a finished answer come
    last.

    \b
    evalharness analyse samples.jsonl
    evalharness analyse samples.jsonl --all
    evalharness analyse reports/causal/step_1000 --tokenizer checkpoints/causal/tokenizer.json
    evalharness analyse generations_mbpp.json samples.jsonl --problems mbpp --json
    """
    from evalharness.pipeline.analysing import analyse_files

    with watcher() as watching:
        result = analyse_files(
            files, key=key, tokenizer=tokenizer, problems=problems or (), extract=extract, watcher=watching
        )
    for line in json_lines(result) if as_json else lines(result, at_most=None if whole else WORST):
        (click.echo if as_json else echo)(line)
    result.raise_faults()


def json_lines(result: AnalysedFiles) -> Iterator[str]:
    """One object for each completion, then the summary."""
    several = _are_several(result)
    for file in result.files:
        name = {"file": str(file.file)} if several else {}
        for completion in file.completions:
            yield json.dumps({**name, **_completion_dict(completion)})
    summaries = [
        {"file": str(f.file), **_summary_dict(f.summary), "forms": dict(f.forms), "notes": list(f.notes)}
        for f in result.files
    ]
    yield json.dumps({**_summary_dict(result.overall), "files": summaries, "faults": list(result.faults)})


def lines(result: AnalysedFiles, at_most: int | None = WORST) -> Iterator[str]:
    """A line for each degenerate completion, the worst first, then one for each file, and last the share over all.

    At most ``at_most`` completions; None: all.
    """
    from evalharness.pipeline.analysing import listed_forms, worst_first

    several = _are_several(result)
    worst = worst_first(result.files)
    for file, completion in worst[:at_most]:
        name = f"{file.file}: " if several else ""
        yield _printable(
            f"{name}{completion.task_id} (completion {completion.completion_id}): {completion.degeneration.evidence}"
        )
    if at_most is not None and len(worst) > at_most:
        yield f"the {at_most} worst of {len(worst):,} degenerate completions; --all lists every one"
    for file in result.files:
        summary = f"{f'{file.file}: ' if several else ''}{_summary_text(file.summary)}"
        yield _printable("; ".join((summary, f"read as {listed_forms(file.forms)}", *file.notes)))
    if several:
        yield f"all files: {_summary_text(result.overall)}"


def _are_several(result: AnalysedFiles) -> bool:
    """Whether each line has to name its file."""
    return len(result.files) + len(result.faults) > 1


def _completion_dict(completion: Analysed) -> dict[str, Any]:
    """Characters count from where the model began to write, after the prompt."""
    from evalharness.runs.json_values import plain

    degeneration, loop = completion.degeneration, completion.degeneration.loop
    return {
        "task_id": completion.task_id,
        "completion_id": completion.completion_id,
        "degenerate": degeneration.degenerate,
        "kind": degeneration.kind,
        "unit": loop.unit if loop else None,
        "period": degeneration.period,
        "copies": degeneration.copies,
        "onset": degeneration.onset,
        "length": loop.length if loop else None,
        "share": degeneration.share,
        "start_character": loop.start_character if loop else None,
        "end_character": loop.end_character if loop else None,
        "ran_to_limit": degeneration.ran_to_limit,
        "after_answer": degeneration.after_answer,
        "evidence": degeneration.evidence,
        "validity": plain(degeneration.validity),
        "measures": plain(degeneration.measures),
    }


def _summary_dict(summary: Summary) -> dict[str, Any]:
    from evalharness.runs.json_values import plain

    return {"completions": summary.completions, "degenerate": plain(summary.share), "kinds": dict(summary.kinds)}


def _summary_text(summary: Summary) -> str:
    from evalharness.report.numbers import percent_interval

    kinds = ", ".join(f"{n} {kind}" for kind, n in summary.kinds.items())
    share = percent_interval(summary.share) + (f" ({kinds})" if kinds else "")
    return f"{summary.degenerate} of {summary.completions} completions are degenerate: {share}"


def _printable(line: str) -> str:
    """A terminal has no lone surrogates."""
    return line.encode("utf-8", "backslashreplace").decode("utf-8")
