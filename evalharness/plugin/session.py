"""Checkpoints in a pytest session: each is scored once, its checks are collected, and a failure shows its card."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import reprlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from evalharness import pipeline
from evalharness.errors import BaselineError, EvalHarnessError
from evalharness.gate import checks as known_checks
from evalharness.gate import output as gate_output
from evalharness.gate.baseline import Baseline, read_baseline
from evalharness.gate.decision import run_check, save_baseline
from evalharness.pipeline.freshness import kept_folder
from evalharness.pipeline.target import target_in
from evalharness.plugin.live_line import live_line
from evalharness.plugin.settings_given import (
    COMPARED,
    asked_checkpoints,
    gate_options,
    home,
    message,
    names_of_checks,
    placed,
    score_settings,
    started_in,
    take_ids,
    working_folder,
)
from evalharness.plugin.stash import CARDS, RUNNING, SUMMARY, WRITTEN, CheckFailed, shown_once
from evalharness.runs import paths
from evalharness.settings.declaration import names
from evalharness.settings.manifest import find_manifest
from evalharness.settings.score import resolve

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from evalharness.gate.checks import CheckResult
    from evalharness.progress import Watcher
    from evalharness.settings.gate import GateOptions
    from evalharness.settings.score import ScoreOptions

Scored = pipeline.ScoreResult
_DONE: pytest.StashKey[dict[str, Scored | EvalHarnessError]] = pytest.StashKey()


class CheckpointChecks(pytest.Collector):
    """A checkpoint among the collected, whose children are its checks."""

    def collect(self) -> Iterator[pytest.Item]:
        """One test for each check."""
        for name in names_of_checks(self.config, self.path):
            yield CheckpointCheck.from_parent(self, name=name)


class CheckpointCheck(pytest.Item):
    """One ready-made check of one checkpoint."""

    def __init__(self, **known: Any) -> None:
        super().__init__(**known)
        self.add_marker(pytest.mark.evalharness)

    def runtest(self) -> None:
        """Score the checkpoint unless that is done, and judge."""
        __tracebackhide__ = True
        check(self.config, self.path, (self.name,), {})

    def reportinfo(self) -> tuple[os.PathLike[str], int | None, str]:
        """Where it is from: no line of any file."""
        return self.path, None, self.nodeid


def collected(session: pytest.Session) -> Iterator[CheckpointChecks]:
    """A collector for each checkpoint that is asked for."""
    for path in asked_checkpoints(session.config):
        name = _from(home(session.config), path)
        yield CheckpointChecks.from_parent(session, name=path.name, nodeid=name, path=path)


def checked_options(config: pytest.Config) -> None:
    """Tell everything that can be told of the options before a test runs.

    Raises ``pytest.UsageError``, one line, for values that can't be, checkpoints that are not there, a broken baseline.
    """
    try:
        take_ids(config)
        held_to = [_checked(config, path) for path in asked_checkpoints(config)]
    except EvalHarnessError as error:
        raise pytest.UsageError(message(error)) from None
    if not _updates(config) or not held_to:
        return
    if len(held_to) > 1:
        raise pytest.UsageError("--evalharness-update-baseline: a baseline is of one checkpoint, give only one")
    if held_to[0].baseline is None:
        raise pytest.UsageError("--evalharness-update-baseline: no baseline is named, give --evalharness-baseline")


def _checked(config: pytest.Config, path: Path) -> GateOptions:
    options = gate_options(config, path)
    manifest = find_manifest(path)
    pipeline.checkpoint_at(path, manifest, revision=resolve(score_settings(config), manifest.score).revision)
    if config.getoption("evalharness_baseline"):
        _expect(config, options)
    if options.baseline is not None and options.baseline.exists() and not _updates(config):
        read_baseline(options.baseline)
    return options


def _expect(config: pytest.Config, options: GateOptions) -> None:
    """Raise BaselineError where a baseline that is named for this run is not there: its path may be mistyped.

    That of a project's settings may be one that nobody has written yet, and its check is skipped.
    """
    if options.baseline is not None and not options.baseline.exists() and not _updates(config):
        raise BaselineError(f"there is no baseline at {options.baseline}: --evalharness-update-baseline writes it")


def scored(config: pytest.Config, path: str | os.PathLike[str], settings: Mapping[str, Any]) -> Scored:
    """Score a checkpoint once for the session; tell the running test of it. Fails the test where that can't be done."""
    __tracebackhide__ = True
    with _failing(), contextlib.chdir(started_in(config)):
        result = _once(config, _absolute(config, path), score_settings(config, settings))
        _tell(config, result)
    return result


def check(
    config: pytest.Config, path: str | os.PathLike[str], names: Sequence[str], settings: Mapping[str, Any]
) -> None:
    """Fail the test with all checks that do not hold; without names what lacks its data is passed over."""
    __tracebackhide__ = True
    unknown = known_checks.unknown_names(names)
    if unknown:
        listed = f"{', '.join(map(str, unknown))}, there are {', '.join(known_checks.NAMES)}"
        pytest.fail(f"evalharness: no check {listed}", pytrace=False)
    own = {key: value for key, value in settings.items() if key in COMPARED}
    with _failing():
        options = gate_options(config, _absolute(config, path), own)
        if own.get("baseline") is not None:
            _expect(config, options)
    score = scored(config, path, {key: value for key, value in settings.items() if key not in COMPARED})
    with contextlib.chdir(started_in(config)):
        faults, evidence, skips = _judged(config, names or known_checks.NAMES, score, options)
    if faults:
        raise CheckFailed("; ".join(faults), "\n\n".join(filter(None, ["\n".join(faults), evidence])))
    if names and skips:
        pytest.skip("; ".join(skips))


def _judged(
    config: pytest.Config, names: Sequence[str], score: Scored, options: GateOptions
) -> tuple[list[str], str, list[str]]:
    """Which checks do not hold, a line each; what shows it, empty where nothing does; and what lacks its data."""
    faults: list[str] = []
    skips, shows = [], False
    for name in names:
        try:
            result = _result(config, name, score, options)
        except EvalHarnessError as error:
            faults.append(f"evalharness: {name}: {message(error)}")
            continue
        if result.outcome == "skipped":
            skips.append(f"{name}: {_why_skipped(result, options)}")
        elif result.outcome != "passed":
            faults.append(gate_output.failure_line(result, score))
            shows = True
    evidence = shown_once(config, _report(score), gate_output.evidence_text(score)) if shows else ""
    return faults, evidence, skips


def _result(config: pytest.Config, name: str, score: Scored, options: GateOptions) -> CheckResult:
    if name == known_checks.BASELINE_CHECK and _updates(config) and options.baseline is not None:
        save_baseline(score, options.baseline)
        config.stash[RUNNING].user_properties.append((WRITTEN, str(options.baseline)))
        raise BaselineError(f"{options.baseline} is written anew: read the change, commit it, and run this again")
    return run_check(name, score, options, _baseline(name, options))


@contextlib.contextmanager
def _failing() -> Iterator[None]:
    """Turn an error of evalharness into a failed test of one line, without a traceback."""
    __tracebackhide__ = True
    try:
        yield
    except EvalHarnessError as error:
        # Not chained, for pytest shows every exception of a chain.
        raise pytest.fail.Exception(f"evalharness: {message(error)}", pytrace=False) from None


def _baseline(name: str, options: GateOptions) -> Baseline | None:
    needed = name == known_checks.BASELINE_CHECK and options.baseline is not None and options.baseline.exists()
    return read_baseline(options.baseline) if needed and options.baseline is not None else None


def _why_skipped(result: CheckResult, options: GateOptions) -> str:
    if result.name != known_checks.BASELINE_CHECK:
        return result.reason
    if options.baseline is None:
        return f"{result.reason}: --evalharness-baseline names one"
    return f"{result.reason} at {options.baseline}: --evalharness-update-baseline writes it"


def _once(config: pytest.Config, path: Path, asked: Mapping[str, Any]) -> Scored:
    """The result of an earlier test, or its error, or a score that holds, or a new one."""
    done = config.stash.setdefault(_DONE, {})
    key = f"{path.resolve()} {sorted(asked.items())}"
    if key not in done:
        try:
            done[key] = _scored(config, path, asked)
        except EvalHarnessError as error:
            done[key] = error
    result = done[key]
    if isinstance(result, EvalHarnessError):
        raise result
    return result


def _scored(config: pytest.Config, path: Path, asked: Mapping[str, Any]) -> Scored:
    """Score as from the project's folder; call all paths as they are called from where pytest was started."""
    seen, working = _as_seen(config, path), working_folder(config, path)
    with contextlib.chdir(working), live_line(config, seen) as watcher:
        called = _from(working, path)
        out = _from(working, _place(Path(called), asked, home(config), watcher))
        result = pipeline.score_once(called, {**asked, "out": Path(out)}, watcher)
    info = dataclasses.replace(result.scorecard.checkpoint, path=seen)
    card = dataclasses.replace(result.scorecard, checkpoint=info)
    return Scored(card, Path(_as_seen(config, working / result.folder)))


def _place(path: Path, asked: Mapping[str, Any], root: Path, watcher: Watcher) -> Path:
    """Where reports go: where a score that holds is, else a folder of this checkpoint's and these settings' own.

    The folders of a score are called as the checkpoint is, and ``runs/1/best`` and ``runs/2/best`` are called alike.
    """
    manifest = find_manifest(path)
    options = resolve(asked, manifest.score)
    out = root / options.out
    if kept_folder(target_in(path, manifest, dataclasses.replace(options, out=out), watcher)) is not None:
        return out
    return out / "checks" / folder_key(path, options)


def folder_key(path: Path, options: ScoreOptions) -> str:
    """Eight digits for a checkpoint and all settings that affect its score: another measurement has another folder."""
    measured = {name: str(getattr(options, name)) for name in names(type(options), "completions", "score", "back_end")}
    return hashlib.sha256(repr([str(path.resolve()), measured]).encode()).hexdigest()[:8]


def _tell(config: pytest.Config, result: Scored) -> None:
    """Put properties and the card with the running test, once for each checkpoint."""
    item = config.stash.get(RUNNING, None)
    if item is None:
        return
    cards = item.stash.setdefault(CARDS, {})
    if _report(result) not in cards:
        cards[_report(result)] = gate_output.card_text(result)
        item.user_properties.extend([*gate_output.properties_of(result), (SUMMARY, gate_output.summary_line(result))])


def _report(result: Scored) -> str:
    return str(result.folder / paths.REPORT)


def _absolute(config: pytest.Config, path: Any) -> Path:
    if not isinstance(path, (str, os.PathLike)):
        raise EvalHarnessError(f"{reprlib.repr(path)} is not the path of a checkpoint")
    return placed(home(config), os.fspath(path))


def _updates(config: pytest.Config) -> bool:
    return bool(config.getoption("evalharness_update_baseline"))


def _as_seen(config: pytest.Config, path: Path) -> str:
    """A path of the project as one writes it where pytest was started."""
    start = started_in(config)
    return os.path.relpath(path, start) if any(map(path.is_relative_to, (start, home(config)))) else str(path)


def _from(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()
