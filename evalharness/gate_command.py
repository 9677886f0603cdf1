"""The command ``gate`` from one end to the other: settings, a score, the checks, and the files that it leaves."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalharness import gate_output, pipeline
from evalharness.baseline import read_baseline
from evalharness.errors import EvalHarnessError, StoreError
from evalharness.gating import GateResult, hold_to, resolve_gate
from evalharness.gating import save_baseline as write_baseline
from evalharness.manifest import GateSettings, find_manifest
from evalharness.store import write_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from evalharness.interfaces import Watcher

SUMMARY_VARIABLE = "GITHUB_STEP_SUMMARY"


@dataclass(frozen=True, slots=True)
class GateRun:
    """How one gate went; ``saved`` is the baseline that was written."""

    gate: GateResult
    saved: Path | None

    @property
    def exit_code(self) -> int:
        """See :class:`evalharness.gating.GateResult`."""
        return self.gate.exit_code

    def output(self, *, as_json: bool) -> Iterator[str]:
        """What stdout gets."""
        if as_json:
            yield gate_output.to_json(self.gate)
            return
        if self.saved is not None:
            yield f"baseline written to {self.saved}: commit it"
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
    gate_names = {item.name for item in dataclasses.fields(GateSettings)}
    held_to = {name: value for name, value in asked.items() if name in gate_names}
    options = resolve_gate(held_to, find_manifest(checkpoint).gate, environment)
    if save_baseline is not None and options.baseline is not None and _same(save_baseline, options.baseline):
        options = dataclasses.replace(options, baseline=None)  # it is renewed, not held to
    if not options.asks_for_something and save_baseline is None:
        raise EvalHarnessError(
            "the checkpoint is held to nothing: give --no-collapse, --checks, --min-pass-at-1, --max-loop-rate or "
            "--baseline, or [gate] in evalharness.toml; --save-baseline writes a baseline"
        )
    baseline = None if options.baseline is None else read_baseline(options.baseline)
    for target in (save_baseline, junit):
        _check_writable(target)
    scored = pipeline.score_once(checkpoint, {k: v for k, v in asked.items() if k not in gate_names}, watcher)
    result = hold_to(scored, options, baseline)
    if save_baseline is not None:
        write_baseline(scored, save_baseline)
    if junit is not None:
        write_file(junit, gate_output.to_junit(result))
    summary = environment.get(SUMMARY_VARIABLE)
    if summary and (fault := gate_output.append_summary(result, Path(summary))):
        watcher.say(fault)
    return GateRun(result, save_baseline)


def _same(one: Path, other: Path) -> bool:
    return one.absolute().resolve() == other.absolute().resolve()


def _check_writable(target: Path | None) -> None:
    """Tell what can't be written before the minutes of a score, not after them."""
    if target is None:
        return
    folder = next(folder for folder in target.absolute().parents if folder.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK) or target.is_dir():
        raise StoreError(f"{target}: can't be written: {'is a folder' if target.is_dir() else f'see {folder}'}")
