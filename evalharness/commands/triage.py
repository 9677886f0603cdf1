"""``evalharness triage``: what a training log alone says of its run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from evalharness.commands.exit_codes import exit_codes
from evalharness.commands.labelled_lines import labelled
from evalharness.commands.terminal_progress import watcher

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalharness.pipeline.triaging import Triage

_Outcome = TypeVar("_Outcome")


@click.command(epilog=exit_codes())
@click.argument("files", metavar="LOG…", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--run", metavar="NAME", help="The run to read of a file that has several.")
@click.option(
    "--vocabulary",
    metavar="N",
    type=click.IntRange(min=2),
    help="Number of token ids, if no file beside the log tells it.",
)
@click.option(
    "--unigram", metavar="NATS", type=click.FloatRange(min=0), help="Entropy of the tokens' frequencies, in nats."
)
@click.option(
    "--dropout", metavar="SHARE", type=click.FloatRange(0, 1), help="Highest dropout in training; 0 for none."
)
@click.option("--json", "as_json", is_flag=True, help="Print every sign, with its figures, as JSON.")
def triage(
    files: tuple[Path, ...],
    run: str | None,
    vocabulary: int | None,
    unigram: float | None,
    dropout: float | None,
    as_json: bool,
) -> None:
    """Look for signs of trouble in a training log alone; takes about a second.

    Looks for losses of 0 and NaN, a fall that is too fast for text, the floor of label smoothing, a plateau of a model
    that learned nothing, validation below training, restarts that repeat rows, and spikes. LOG is a file or a folder
    that evalharness log reads. The vocabulary is taken from a config.json or tokenizer.json beside the log, the
    frequencies of tokens from [data] train. A sign is no proof: score a checkpoint to find the cause.

    \b
    evalharness triage checkpoints/leaky/base.log
    evalharness triage train.log --vocabulary 50257 --dropout 0
    evalharness triage wandb_export.csv --run lr-3e-4 --json
    """
    from evalharness import pipeline
    from evalharness.training_log.signs.of_losses import Known

    given = Known(vocabulary, unigram, dropout)
    with watcher() as watching:
        result = pipeline.triage(files, watching, run=run, given=given)
    if as_json:
        click.echo(to_json(result))
        return
    for line in lines(result):
        click.echo(line)


def lines(result: Triage) -> Iterator[str]:
    """Yield the findings, what was ruled out and what could not be tested, wrapped for a terminal."""
    from evalharness.records import Finding, NotTestable, RuledOut
    from evalharness.report.parts import unmarked
    from evalharness.report.untested import by_group

    for finding in _of(Finding, result):
        yield from labelled(finding.severity, unmarked(f"{finding.claim} {finding.remedy}"))
    for group, members in by_group(_of(NotTestable, result)):
        for item in members:
            yield from labelled(group, unmarked(f"{item.probe}: {item.reason}"))
    for cleared in _of(RuledOut, result):
        yield from labelled("ruled out", unmarked(cleared.claim))
    yield from labelled("not checked", f"{'; '.join(result.not_checked)}: evalharness score CHECKPOINT does")


def to_json(result: Triage) -> str:
    """The whole triage as one JSON object."""
    from evalharness.records import Finding, NotTestable, RuledOut
    from evalharness.runs.json_values import plain

    content = {
        "files": [str(file.path) for file in result.log.files],
        "losses": len(result.log.points),
        "known": result.known,
        "findings": _of(Finding, result),
        "ruled_out": _of(RuledOut, result),
        "not_testable": _of(NotTestable, result),
        "not_checked": result.not_checked,
        "notes": result.log.notes,
    }
    return json.dumps(plain(content), indent=2, ensure_ascii=False, allow_nan=False)


def _of(kind: type[_Outcome], result: Triage) -> list[_Outcome]:
    return [outcome for outcome in result.outcomes if isinstance(outcome, kind)]
