"""What the pytest plugin does once it is asked: scores checkpoints, each once, collects checks, fails with the card."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from evalharness import checks as known_checks
from evalharness import gate_output, pipeline
from evalharness.baseline import Baseline, read_baseline
from evalharness.environment import parsed, variable
from evalharness.errors import BaselineError, EvalHarnessError
from evalharness.gating import resolve_gate, run_check, save_baseline
from evalharness.manifest import GateSettings, ScoreSettings, find_manifest, problems_from
from evalharness.options import ScoreOptions, resolve
from evalharness.pytest_plugin import CARDS, HELD_TO, RUNNING, SETTINGS, SUMMARY

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from evalharness.checks import CheckResult
    from evalharness.gating import GateOptions

Scored = pipeline.ScoreResult
_DONE: pytest.StashKey[dict[str, Scored | EvalHarnessError]] = pytest.StashKey()
_MEASURING = ("problems", "samples", "temperature", "limit", "max_new_tokens", "seed", "dtype")
"""Settings that make it another measurement, which does not take the place of the report that ``score`` writes."""

_COMPARED = ("baseline", "level", "tolerance")


class CheckpointChecks(pytest.Collector):
    """A checkpoint among the collected, whose children are its checks."""

    def collect(self) -> Iterator[pytest.Item]:
        """One test for each check."""
        for name in _gate_options(self.config, self.path).checks or known_checks.NAMES:
            yield CheckpointCheck.from_parent(self, name=name)


class CheckpointCheck(pytest.Item):
    """One ready-made check of one checkpoint."""

    def __init__(self, **known: Any) -> None:
        super().__init__(**known)
        self.add_marker(pytest.mark.evalharness)

    def runtest(self) -> None:
        """Score the checkpoint unless that is done, and judge."""
        __tracebackhide__ = True
        judge(self.config, self.path, self.name, {}, skips=True)

    def reportinfo(self) -> tuple[os.PathLike[str], int | None, str]:
        """Where it is from: no line of any file."""
        return self.path, None, self.nodeid


def collected(session: pytest.Session) -> Iterator[CheckpointChecks]:
    """A collector for each checkpoint that is asked for."""
    for path in _asked_checkpoints(session.config):
        name = _from(_home(session.config), path)
        yield CheckpointChecks.from_parent(session, name=path.name, nodeid=name, path=path)


def checked_options(config: pytest.Config) -> None:
    """Tell everything that can be told of the options before a test runs.

    Raises ``pytest.UsageError``, one line, for values that can't be, checkpoints that are not there, a broken baseline.
    """
    try:
        held_to = [_gate_options(config, path) for path in _asked_checkpoints(config)]
        for path, options in zip(_asked_checkpoints(config), held_to, strict=True):
            _check_one(config, path, options)
    except EvalHarnessError as error:
        raise pytest.UsageError(str(error)) from None
    if not _updates(config):
        return
    if len(held_to) > 1:
        raise pytest.UsageError("--evalharness-update-baseline: a baseline is of one checkpoint, give only one")
    if held_to[0].baseline is None:
        raise pytest.UsageError("--evalharness-update-baseline: no baseline is named, give --evalharness-baseline")


def _check_one(config: pytest.Config, path: Path, options: GateOptions) -> None:
    manifest = find_manifest(path)
    pipeline.checkpoint_at(path, manifest)
    resolve(_asked(config), manifest.score)
    if options.baseline is not None and options.baseline.exists() and not _updates(config):
        read_baseline(options.baseline)


def _gate_options(config: pytest.Config, path: Path) -> GateOptions:
    return resolve_gate(_said(config, GateSettings, HELD_TO), find_manifest(path).gate)


def scored(config: pytest.Config, path: str | os.PathLike[str], settings: Mapping[str, Any]) -> Scored:
    """Score a checkpoint once for the session; tell the running test of it. Fails the test where that can't be done."""
    __tracebackhide__ = True
    absolute = _home(config) / path
    with _failing():
        asked = _asked(config) | _settings_of_a_test(settings, _home(config))
        result = _once(config, absolute, asked)
    _tell(config, result)
    return result


def check(
    config: pytest.Config, path: str | os.PathLike[str], names: Sequence[str], settings: Mapping[str, Any]
) -> None:
    """Fail the test at the first check that does not hold; without names what lacks its data is passed over."""
    __tracebackhide__ = True
    unknown = known_checks.unknown_names(names)
    if unknown:
        pytest.fail(f"evalharness: no check {', '.join(unknown)}, there are {', '.join(known_checks.NAMES)}", False)
    for name in names or known_checks.NAMES:
        judge(config, _home(config) / path, name, settings, skips=bool(names), passes_over=not names)


def judge(
    config: pytest.Config,
    path: Path,
    name: str,
    settings: Mapping[str, Any],
    *,
    skips: bool,
    passes_over: bool = False,
) -> None:
    """Make one check; fail or skip the running test as it goes."""
    __tracebackhide__ = True
    own = {key: value for key, value in settings.items() if key in _COMPARED}
    found = scored(config, path, {key: value for key, value in settings.items() if key not in _COMPARED})
    if own.get("baseline") is not None:
        own["baseline"] = _home(config) / own["baseline"]
    with _failing(f"{name}: "):
        options = resolve_gate(_said(config, GateSettings, HELD_TO) | own, find_manifest(path).gate)
        if name == known_checks.BASELINE_CHECK and _updates(config) and options.baseline is not None:
            save_baseline(found, options.baseline)
            raise BaselineError(f"{options.baseline} is written anew: read the change, commit it, and run this again")
        result = run_check(name, found, options, _baseline(name, options))
    if result.outcome == "skipped" and (skips or passes_over):
        if skips:
            pytest.skip(f"{name}: {_why_skipped(result, options)}")
        return
    if result.outcome != "passed":
        pytest.fail(gate_output.failure_text(result, found), pytrace=False)


@contextlib.contextmanager
def _failing(about: str = "") -> Iterator[None]:
    """Turn an error of evalharness into a failed test of one line, without a traceback."""
    __tracebackhide__ = True
    try:
        yield
    except EvalHarnessError as error:
        # Not chained, for pytest shows every exception of a chain.
        raise pytest.fail.Exception(f"evalharness: {about}{error}", pytrace=False) from None


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
    options = resolve(asked, find_manifest(path).score)
    given = {name: str(asked[name]) for name in _MEASURING if asked.get(name) is not None}
    if asked.get("out") is None and given:
        key = hashlib.sha256(repr(sorted(given.items())).encode()).hexdigest()[:8]
        options = dataclasses.replace(options, out=options.out / "checks" / key)
    out = _home(config) / options.out
    done = config.stash.setdefault(_DONE, {})
    key = f"{path.resolve()} {options} {out}"
    if key not in done:
        try:
            done[key] = pipeline.score_once(_as_seen(path), {**asked, "out": _as_seen(out)})
        except EvalHarnessError as error:
            done[key] = error
    result = done[key]
    if isinstance(result, EvalHarnessError):
        raise result
    return result


def _tell(config: pytest.Config, result: Scored) -> None:
    """Put properties and the card with the running test, once for each checkpoint."""
    item = config.stash.get(RUNNING, None)
    if item is None:
        return
    card = gate_output.card_text(result)
    told = item.stash.setdefault(CARDS, [])
    if card not in told:
        told.append(card)
        item.user_properties.extend([*gate_output.properties_of(result), (SUMMARY, gate_output.summary_line(result))])


def _asked_checkpoints(config: pytest.Config) -> list[Path]:
    """Options are relative to where pytest was started, ini values to its root folder."""
    given = config.getoption("evalharness_checkpoint")
    if given:
        return [Path(os.path.normpath(config.invocation_params.dir / path)) for path in given]
    return [Path(os.path.normpath(_home(config) / path)) for path in config.getini("evalharness_checkpoint")]


def _home(config: pytest.Config) -> Path:
    """Where relative paths of tests and ini values start, and where reports go.

    Not pytest's root folder, which is moved by a path that an option has as its value.
    """
    return config.inipath.parent if config.inipath is not None else config.invocation_params.dir


def _asked(config: pytest.Config) -> dict[str, Any]:
    """Settings of a score from pytest's command line and, where the environment says nothing, from its ini file."""
    trust = config.getoption("evalharness_trust") or config.getini("evalharness_trust") or None
    return {**_said(config, ScoreSettings, SETTINGS), "trust": trust}


def _said(config: pytest.Config, settings: type, names: Mapping[str, str]) -> dict[str, Any]:
    options = {name: text for name in names if (text := config.getoption(f"evalharness_{name}")) is not None}
    ini = {
        name: text
        for name in names
        if name not in options and not os.environ.get(variable(name)) and (text := config.getini(f"evalharness_{name}"))
    }
    read = parsed(
        settings, options, lambda name: f"--evalharness-{name.replace('_', '-')}", config.invocation_params.dir
    )
    return read | parsed(settings, ini, lambda name: f"evalharness_{name}", _home(config))


def _settings_of_a_test(settings: Mapping[str, Any], root: Path) -> dict[str, Any]:
    known = {item.name for item in dataclasses.fields(ScoreOptions)}
    unknown = sorted(settings.keys() - known)
    if unknown:
        raise EvalHarnessError(f"no setting {', '.join(unknown)}; there are {', '.join(sorted(known))}")
    read = dict(settings)
    problems = read.get("problems")
    if problems is not None:
        names = (problems,) if isinstance(problems, (str, os.PathLike)) else tuple(problems)
        read["problems"] = tuple(problems_from(root, os.fspath(name)) for name in names)
    if read.get("out") is not None:
        read["out"] = root / read["out"]
    return read


def _updates(config: pytest.Config) -> bool:
    return bool(config.getoption("evalharness_update_baseline"))


def _as_seen(path: Path) -> Path:
    """A path below the working folder without that folder, as it is written on a command line."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _from(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()
