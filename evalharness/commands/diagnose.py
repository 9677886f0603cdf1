"""``evalharness diagnose``: why loss and behaviour disagree; as text or as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evalharness.commands.exit_codes import INCOMPLETE, exit_codes
from evalharness.commands.labelled_lines import labelled
from evalharness.commands.options import settings_options
from evalharness.commands.terminal_progress import watcher

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from evalharness.diagnosis import Diagnosis
    from evalharness.pipeline import DiagnosisResult
    from evalharness.records import Incomplete


@click.command(epilog=exit_codes())
@click.argument("checkpoint", type=click.Path(path_type=Path))
@settings_options(
    "step",
    "log",
    "revision",
    "problems",
    "problem_paths",
    "device",
    "dtype",
    "within",
    "batch_size",
    "pass_memory",
    "max_new_tokens",
    "seed",
    "out",
    "all_probes",
    "trust",
)
@click.option("--all", "each", is_flag=True, help="Say of every hypothesis what was measured or what is missing.")
@click.option("--json", "as_json", is_flag=True, help="Print the whole diagnosis as JSON.")
@click.option(
    "--write-repair",
    is_flag=True,
    help="If a repair brings the logged loss back, write the repaired configuration to a new file beside the old one.",
)
def diagnose(checkpoint: Path, each: bool, as_json: bool, write_repair: bool, asked: dict[str, Any]) -> None:
    """Find out why a checkpoint's loss and behaviour disagree: the cause, and what was ruled out.

    Recomputes the loss, and runs the probes until one explains everything. Generates a few greedy completions and keeps
    them in the folder that score uses. score does all this as well, and also runs the generated programs and writes a
    report. Name the data and the log in evalharness.toml so that every probe can run: [data] train and validation,
    [log] path.

    \b
    evalharness diagnose checkpoints/leaky
    evalharness diagnose runs/tuned --step 4000 --json
    evalharness diagnose runs/tuned --write-repair
    """
    from evalharness import pipeline

    with watcher() as watching:
        result = pipeline.diagnose(checkpoint, asked, watching)
    if as_json:
        click.echo(to_json(result))
    else:
        for line in lines(result, each=each):
            click.echo(line)
    if write_repair:
        click.echo(pipeline.write_repair(checkpoint, asked, result.diagnosis.findings)[1], err=True)
    click.get_current_context().exit(INCOMPLETE if result.incomplete else 0)


def lines(result: DiagnosisResult, *, each: bool = False) -> Iterator[str]:
    """Yield the diagnosis, wrapped for a terminal; with ``each`` every hypothesis has a line of its own."""
    from evalharness.report import loss_lines
    from evalharness.report.shares import verdict_words

    judgement = result.judgement
    yield from labelled("behaviour", f"{verdict_words(judgement.verdict)}: {judgement.reason}")
    for text in loss_lines(result.loss, result.diagnosis.findings):
        yield from labelled("loss", text)
    yield from outcome_lines(result.diagnosis, result.incomplete, each=each)


def outcome_lines(diagnosis: Diagnosis, incomplete: Iterable[Incomplete], *, each: bool = True) -> Iterator[str]:
    """Yield findings, what was ruled out, what was not testable and what failed, wrapped for a terminal."""
    from evalharness.report import diagnosis_lines

    for label, text in diagnosis_lines(diagnosis.findings, diagnosis.ruled_out, diagnosis.not_testable, each=each):
        yield from labelled(label, text)
    for lack in incomplete:
        yield from labelled("incomplete", str(lack))


def to_json(result: DiagnosisResult) -> str:
    """The whole diagnosis as one JSON object; ``findings`` are ordered, causes first."""
    from evalharness.runs.json_values import plain

    diagnosis = result.diagnosis
    content: dict[str, Any] = {
        "checkpoint": result.checkpoint,
        "verdict": result.judgement.verdict,
        "verdict_reason": result.judgement.reason,
        "loss": result.loss,
        "findings": diagnosis.findings,
        "ruled_out": diagnosis.ruled_out,
        "not_testable": diagnosis.not_testable,
        "incomplete": result.incomplete,
    }
    return json.dumps(plain(content), indent=2, ensure_ascii=False, allow_nan=False)
