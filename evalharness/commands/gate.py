"""``evalharness gate``: settings, a score, the checks, and the files that it leaves for CI."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evalharness.commands.exit_codes import exit_codes
from evalharness.commands.options import settings_options
from evalharness.commands.terminal_progress import watcher
from evalharness.commands.whole_words import echo
from evalharness.errors import BaselineError, EvalHarnessError, StoreError
from evalharness.settings.gate import GateOptions, resolve_gate
from evalharness.settings.score import ScoreOptions, resolve

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from evalharness.gate.baseline import Baseline
    from evalharness.gate.decision import GateResult
    from evalharness.progress import Watcher

SUMMARY_VARIABLE = "GITHUB_STEP_SUMMARY"


@click.command(epilog=exit_codes(done="every check passed", failed="a check failed"))
@click.argument("checkpoint", type=click.Path(path_type=Path))
@settings_options(owner=GateOptions, into="required")
@click.option(
    "--save-baseline",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Save pass@1 of this checkpoint as a baseline, for --baseline later.",
)
@click.option("--junit", type=click.Path(path_type=Path), metavar="FILE", help="Write the checks as JUnit XML.")
@settings_options()
@click.option("--json", "as_json", is_flag=True, help="Print the checks as JSON.")
def gate(
    checkpoint: Path,
    save_baseline: Path | None,
    junit: Path | None,
    as_json: bool,
    required: dict[str, Any],
    asked: dict[str, Any],
) -> None:
    """Fail CI if a checkpoint is outside your limits.

    Scores the checkpoint as score does, unless it was scored before and nothing has changed. Of several values for a
    limit the first counts: given here, EVALHARNESS_* in the environment, [gate] in evalharness.toml or pyproject.toml.
    It needs at least one limit, or --save-baseline. Appends a summary to $GITHUB_STEP_SUMMARY if that is set.

    \b
    evalharness gate checkpoints/causal --no-collapse --min-pass-at-1 0.05 --max-loop-rate 0.1
    evalharness gate runs/tuned --problems warmup --save-baseline tests/baseline.json
    evalharness gate runs/tuned --problems warmup --baseline tests/baseline.json --junit gate.xml
    """
    from evalharness.gate.output import error_to_json

    try:
        with watcher() as watching:
            result = run_gate(checkpoint, required, asked, watching, save_baseline=save_baseline, junit=junit)
    except EvalHarnessError as error:
        if as_json:
            click.echo(error_to_json(checkpoint, error))
        raise
    for line in result.output(as_json=as_json):
        (click.echo if as_json else echo)(line)
    click.get_current_context().exit(result.exit_code)


@dataclass(frozen=True, slots=True)
class GateRun:
    """How one gate went; ``saved`` is the baseline that was written."""

    gate: GateResult
    saved: Path | None

    @property
    def exit_code(self) -> int:
        """See :class:`evalharness.gate.decision.GateResult`."""
        return self.gate.exit_code

    def output(self, *, as_json: bool) -> Iterator[str]:
        """What stdout gets."""
        from evalharness.gate import output as gate_output

        if as_json:
            yield gate_output.to_json(self.gate)
            return
        if self.saved is not None:
            yield f"baseline written to {self.saved}: commit it"
            if self.gate.scored.scorecard.verdict == "collapsed":
                yield "this checkpoint has collapsed: its baseline sets a very low bar"
        if self.gate.results or self.gate.incomplete:
            yield from gate_output.lines(self.gate)


def run_gate(
    checkpoint: Path,
    required: Mapping[str, Any],
    asked: Mapping[str, Any],
    watcher: Watcher,
    *,
    save_baseline: Path | None = None,
    junit: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> GateRun:
    """Score the checkpoint, or take its score if nothing has changed, and run the checks that are ``required``.

    Raises :class:`EvalHarnessError`: before scoring for everything that is known by then.
    """
    from evalharness import pipeline
    from evalharness.gate import output as gate_output
    from evalharness.gate.decision import hold_to
    from evalharness.gate.decision import save_baseline as write_baseline
    from evalharness.settings.manifest import find_manifest

    environment = os.environ if environment is None else environment
    manifest = find_manifest(checkpoint)
    options = resolve_gate(required, manifest.gate, environment)
    if not options.asks_for_something and save_baseline is None:
        raise EvalHarnessError(
            "no checks requested: give --require healthy, --no-collapse, --checks, --min-pass-at-1, --max-loop-rate, "
            "--max-greedy-loop-rate or --baseline, or [gate] in evalharness.toml; --save-baseline writes a baseline"
        )
    baseline = _baseline(options.baseline, save_baseline, resolve(asked, manifest.score, environment), watcher)
    if baseline is None:
        options = dataclasses.replace(options, baseline=None)
    for target in (save_baseline, junit):
        _check_writable(target)
    summary = environment.get(SUMMARY_VARIABLE)
    try:
        scored = pipeline.score_once(checkpoint, asked, watcher)
        result = hold_to(scored, options, baseline)
    except EvalHarnessError as error:
        _tell(junit, gate_output.error_to_junit(checkpoint, error))
        _add(summary, gate_output.error_to_markdown(checkpoint, error), watcher)
        raise
    if save_baseline is not None:
        write_baseline(scored, save_baseline)
    _tell(junit, gate_output.to_junit(result))
    _add(summary, gate_output.to_markdown(result), watcher)
    return GateRun(result, save_baseline)


def _baseline(path: Path | None, renewed: Path | None, options: ScoreOptions, watcher: Watcher) -> Baseline | None:
    """The baseline to compare with, refused before the minutes of a score if it can't be compared.

    A baseline that is to be renewed is compared with all the same, if it is there and can be.
    """
    from evalharness.gate.baseline import read_baseline
    from evalharness.gate.decision import refuse_early

    if path is None:
        return None
    is_renewed = renewed is not None and _same(renewed, path)
    if is_renewed and not path.exists():
        return None
    try:
        baseline = read_baseline(path)
        refuse_early(path, baseline, options)
    except BaselineError as error:
        if not is_renewed:
            raise
        watcher.say(f"{error}: renewed without being held to it")
        return None
    return baseline


def _tell(junit: Path | None, xml: str) -> None:
    from evalharness.runs.files import write_file

    if junit is not None:
        write_file(junit, xml)


def _add(summary: str | None, section: str, watcher: Watcher) -> None:
    """Append to the step's summary, where there is one."""
    from evalharness.gate import output as gate_output

    if summary and (fault := gate_output.append_summary(section, Path(summary))):
        watcher.say(fault)


def _same(one: Path, other: Path) -> bool:
    return one.absolute().resolve() == other.absolute().resolve()


def _check_writable(target: Path | None) -> None:
    """Tell what can't be written before the minutes of a score, not after them."""
    if target is None:
        return
    folder = next(folder for folder in target.absolute().parents if folder.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK) or target.is_dir():
        raise StoreError(f"{target}: can't be written: {'is a folder' if target.is_dir() else f'see {folder}'}")
