"""What pytest's command line, the environment, its ini file and a test say of checkpoints and settings."""

from __future__ import annotations

import dataclasses
import numbers
import os
import re
import reprlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from evalharness.errors import EvalHarnessError
from evalharness.gate import checks as known_checks
from evalharness.gate.decision import GateOptions, resolve_gate
from evalharness.plugin.hooks import HELD_TO, SETTINGS
from evalharness.settings.environment import from_environment, parsed, types_of, variable
from evalharness.settings.manifest import GateSettings, ScoreSettings, expected_of, find_manifest, problems_from
from evalharness.settings.score_options import ScoreOptions

if TYPE_CHECKING:
    from collections.abc import Mapping

COMPARED = ("baseline", "level", "tolerance")
"""The settings of a check that a test may give; all others are those of a score."""
_CHOSEN: pytest.StashKey[list[tuple[Path, str]]] = pytest.StashKey()
"""Checkpoint and check of each ready-made check that was named by its id."""
_OPTION = re.compile(r"(?<![\w-])--(?!evalharness-)([a-z][a-z0-9-]*)")
_TYPES: dict[str, Any] = {"int": numbers.Integral, "float": numbers.Real, "Path": (str, os.PathLike)}


def take_ids(config: pytest.Config) -> None:
    """Take the ids of ready-made checks out of pytest's arguments, for it refuses those that begin with a folder.

    They are printed relative to pytest's root folder, and are taken relative to where it was started as well.
    """
    known = {path.resolve(): path for path in _named(config)}
    chosen = config.stash.setdefault(_CHOSEN, [])
    for argument in list(config.args):
        path, _, name = argument.partition("::")
        meant = [found for base in (started_in(config), home(config)) if (found := known.get((base / path).resolve()))]
        if name and meant:
            if known_checks.unknown_names([name]):
                raise EvalHarnessError(f"{argument}: no such check, there are {', '.join(known_checks.NAMES)}")
            config.args.remove(argument)
            chosen.append((meant[0], name))


def asked_checkpoints(config: pytest.Config) -> list[Path]:
    """The checkpoints whose ready-made checks are collected, each once.

    Those of the ini file are not where the command line names tests by their ids or files alone.
    """
    chosen = config.stash.get(_CHOSEN, [])
    if chosen:
        return list(dict.fromkeys(path for path, _ in chosen))
    if not config.getoption("evalharness_checkpoint") and _names_tests_alone(config):
        return []
    return _named(config)


def names_of_checks(config: pytest.Config, path: Path) -> tuple[str, ...]:
    """Which of the ready-made checks of a checkpoint are collected."""
    chosen = tuple(dict.fromkeys(name for owner, name in config.stash.get(_CHOSEN, []) if owner == path))
    return chosen or gate_options(config, path).checks or known_checks.NAMES


def home(config: pytest.Config) -> Path:
    """Where relative paths of tests and ini values start, and where reports go.

    Not pytest's root folder, which is moved by a path that an option has as its value.
    """
    return config.inipath.parent if config.inipath is not None else started_in(config)


def started_in(config: pytest.Config) -> Path:
    """Where pytest was started, whatever folder a test has gone to since."""
    return config.invocation_params.dir


def working_folder(config: pytest.Config, path: Path) -> Path:
    """The folder whose code may run unasked: where pytest was started, or the project whose tests are run.

    A project counts where pytest was started in it or was given tests of it. One into which only the value of an option
    leads does not: pytest takes its ini file too, and it may be anybody's.
    """
    own, start = home(config), started_in(config)
    arguments = config.args if config.args_source is pytest.Config.ArgsSource.ARGS else []
    inside = any((start / place.partition("::")[0]).resolve().is_relative_to(own) for place in (*arguments, "."))
    return own if inside and path.is_relative_to(own) and not own.is_relative_to(start) else start


def gate_options(config: pytest.Config, path: Path, own: Mapping[str, Any] | None = None) -> GateOptions:
    """What a checkpoint is held to; ``own`` is what a test says, and goes before all else."""
    read = {name: _typed(GateOptions, name, value) for name, value in (own or {}).items() if value is not None}
    if "baseline" in read:
        read["baseline"] = home(config) / read["baseline"]
    return resolve_gate(_said(config, GateSettings, HELD_TO) | read, find_manifest(path).gate)


def score_settings(config: pytest.Config, own: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The settings of a score, of which a test's go before the command line, the environment and the ini file."""
    trust = config.getoption("evalharness_trust") or config.getini("evalharness_trust") or None
    said = {**from_environment(ScoreSettings, os.environ), **_said(config, ScoreSettings, SETTINGS)}
    return {**said, "trust": trust, **_settings_of_a_test(own or {}, home(config))}


def as_given(config: pytest.Config, own: Mapping[str, Any], text: str) -> str:
    """An error's text with the options of ``evalharness score`` in it called as they were given to pytest."""
    return _OPTION.sub(lambda found: _label(config, own, found), text)


def _label(config: pytest.Config, own: Mapping[str, Any], found: re.Match[str]) -> str:
    name = found[1].replace("-", "_")
    is_option = name in {*SETTINGS, *HELD_TO, "trust"}
    if own.get(name) is not None:
        return name
    if is_option and config.getoption(f"evalharness_{name}") is not None:
        return f"--evalharness-{found[1]}"
    if os.environ.get(variable(name)):
        return variable(name)
    if is_option and config.getini(f"evalharness_{name}"):
        return f"evalharness_{name}"
    return f"--evalharness-{found[1]}" if is_option else found[0]


def _named(config: pytest.Config) -> list[Path]:
    """Options are relative to where pytest was started, ini values to its root folder."""
    given = config.getoption("evalharness_checkpoint")
    base, paths = (started_in(config), given) if given else (home(config), config.getini("evalharness_checkpoint"))
    absolute = [Path(os.path.normpath(base / path)) for path in paths]
    return list({path.resolve(): path for path in reversed(absolute)}.values())[::-1]


def _names_tests_alone(config: pytest.Config) -> bool:
    if config.args_source is not pytest.Config.ArgsSource.ARGS or not config.args:
        return False
    return all("::" in argument or (started_in(config) / argument).is_file() for argument in config.args)


def _said(config: pytest.Config, settings: type, names: Mapping[str, str]) -> dict[str, Any]:
    options = {name: text for name in names if (text := config.getoption(f"evalharness_{name}")) is not None}
    ini = {
        name: text
        for name in names
        if name not in options and not os.environ.get(variable(name)) and (text := config.getini(f"evalharness_{name}"))
    }
    read = parsed(settings, options, lambda name: f"--evalharness-{name.replace('_', '-')}", started_in(config))
    return read | parsed(settings, ini, lambda name: f"evalharness_{name}", home(config))


def _settings_of_a_test(settings: Mapping[str, Any], root: Path) -> dict[str, Any]:
    known = {item.name for item in dataclasses.fields(ScoreOptions)}
    unknown = sorted(settings.keys() - known)
    if unknown:
        raise EvalHarnessError(f"no setting {', '.join(unknown)}; there are {', '.join(sorted(known))}")
    read = {name: _typed(ScoreOptions, name, value) for name, value in settings.items() if value is not None}
    if "problems" in read:
        read["problems"] = tuple(problems_from(root, os.fspath(name)) for name in read["problems"])
    if "out" in read:
        read["out"] = root / read["out"]
    return read


def _typed(settings: type, name: str, value: Any) -> Any:
    """A value that a test gives, as a tuple where several may be given; raises where it is of another type."""
    kind = types_of(settings)[name]
    item = kind.removeprefix("tuple[").removesuffix(", ...]")
    if item == kind:
        values = (value,)
    else:
        value = values = tuple(value) if isinstance(value, (list, tuple, set, frozenset)) else (value,)
    if not all(_is(part, "Path" if name == "problems" else item) for part in values):
        expected = kind if expected_of(kind) != kind else "str"
        raise EvalHarnessError(f"{name}={reprlib.repr(value)} is not {expected_of(expected)}")
    return value


def _is(value: Any, kind: str) -> bool:
    if kind == "bool" or isinstance(value, bool):
        return kind == "bool" and isinstance(value, bool)
    return isinstance(value, _TYPES.get(kind, str))
