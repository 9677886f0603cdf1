"""The command ``gate`` from one end to the other: settings, a score, the checks, and the files that it leaves."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalharness import pipeline
from evalharness.errors import BaselineError, EvalHarnessError, StoreError
from evalharness.gate import output as gate_output
from evalharness.gate.baseline import read_baseline
from evalharness.gate.decision import GateResult, hold_to, refuse_early, resolve_gate
from evalharness.gate.decision import save_baseline as write_baseline
from evalharness.runs.files import write_file
from evalharness.settings.manifest import GateSettings, find_manifest
from evalharness.settings.score_options import resolve

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from evalharness.gate.baseline import Baseline
    from evalharness.progress import Watcher
    from evalharness.settings.score_options import ScoreOptions

SUMMARY_VARIABLE = "GITHUB_STEP_SUMMARY"


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
        if as_json:
            yield gate_output.to_json(self.gate)
            return
        if self.saved is not None:
            yield f"baseline written to {self.saved}: commit it"
            if self.gate.scored.scorecard.verdict == "collapsed":
                yield "this checkpoint has collapsed: what is held to its baseline is held to little"
        if self.gate.results or self.gate.incomplete:
            yield from gate_output.lines(self.gate)


def run_gate(
    checkpoint: Path,
    asked: Mapping[str, Any],
    watcher: Watcher,
    *,
    save_baseline: Path | None = None,
    junit: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> GateRun:
    """Score the checkpoint, or take its score where that still holds, and hold it to what is asked.

    Raises :class:`EvalHarnessError`, for what can be told before scoring without scoring.
    """
    environment = os.environ if environment is None else environment
    manifest = find_manifest(checkpoint)
    gate_names = {item.name for item in dataclasses.fields(GateSettings)}
    options = resolve_gate({k: v for k, v in asked.items() if k in gate_names}, manifest.gate, environment)
    for_score = {k: v for k, v in asked.items() if k not in gate_names}
    if not options.asks_for_something and save_baseline is None:
        raise EvalHarnessError(
            "the checkpoint is held to nothing: give --no-collapse, --checks, --min-pass-at-1, --max-loop-rate or "
            "--baseline, or [gate] in evalharness.toml; --save-baseline writes a baseline"
        )
    baseline = _baseline(options.baseline, save_baseline, resolve(for_score, manifest.score, environment), watcher)
    if baseline is None:
        options = dataclasses.replace(options, baseline=None)
    for target in (save_baseline, junit):
        _check_writable(target)
    summary = environment.get(SUMMARY_VARIABLE)
    try:
        scored = pipeline.score_once(checkpoint, for_score, watcher)
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
    """The baseline to be held to, refused before the minutes of a score where it can't be compared.

    One that is to be renewed is held to all the same, as far as it is there and can be.
    """
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
    if junit is not None:
        write_file(junit, xml)


def _add(summary: str | None, section: str, watcher: Watcher) -> None:
    """Append to the step's summary, where there is one."""
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
