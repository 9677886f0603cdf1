"""The checkpoints and settings that pytest's command line, the environment, its ini file and a test give."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from evalharness.errors import EvalHarnessError, UntrustedError
from evalharness.gate import checks as known_checks
from evalharness.models.torch.hub import is_hub_name
from evalharness.plugin.options import called, called_in_ini
from evalharness.settings.declaration import settings_in
from evalharness.settings.environment import from_environment, variable
from evalharness.settings.gate import GateOptions, resolve_gate
from evalharness.settings.manifest import find_manifest
from evalharness.settings.score import ScoreOptions
from evalharness.settings.values import Way, read

if TYPE_CHECKING:
    from collections.abc import Mapping

COMPARED = ("baseline", "level", "tolerance")
"""The settings of a check that a test may give; all others are those of a score."""
_CHOSEN: pytest.StashKey[list[tuple[Path, str]]] = pytest.StashKey()
"""Checkpoint and name of each check that was given by its id."""


def take_ids(config: pytest.Config) -> None:
    """Take the ids of ready-made checks out of pytest's arguments, for it refuses those that begin with a folder.

    They are printed relative to pytest's root folder, and are taken relative to where it was started as well.
    """
    known = {path.resolve(): path for path in _named(config)}
    chosen = config.stash.setdefault(_CHOSEN, [])
    for argument in list(config.args):
        path, _, name = argument.partition("::")
        meant = [
            checkpoint
            for base in (started_in(config), home(config))
            if (checkpoint := known.get((base / path).resolve()))
        ]
        if name and meant:
            if known_checks.unknown_names([name]):
                raise EvalHarnessError(f"{argument}: no such check, there are {', '.join(known_checks.NAMES)}")
            config.args.remove(argument)
            chosen.append((meant[0], name))


def asked_checkpoints(config: pytest.Config) -> list[Path]:
    """The checkpoints whose checks are collected, each once.

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
    """What a checkpoint must pass; ``own`` are the settings of a test, which win over all others."""
    given = _settings_from(config, GateOptions) | read(GateOptions, own or {}, _way_of_a_test(config))
    return resolve_gate(given, find_manifest(path).gate)


def score_settings(config: pytest.Config, own: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The settings of a score: a test's win over the command line, the environment and the ini file, in this order."""
    return _settings_from(config, ScoreOptions) | read(ScoreOptions, own or {}, _way_of_a_test(config))


def message(error: EvalHarnessError) -> str:
    """An error's text, with the option of pytest that allows what was refused."""
    return f"{error.reason}; {called('trust')} allows it" if isinstance(error, UntrustedError) else str(error)


def _named(config: pytest.Config) -> list[Path]:
    """Options are relative to where pytest was started, ini values to its root folder."""
    given = config.getoption("evalharness_checkpoint")
    base, paths = (started_in(config), given) if given else (home(config), config.getini("evalharness_checkpoint"))
    found = [placed(base, path) for path in paths]
    return list({path.resolve(): path for path in reversed(found)}.values())[::-1]


def placed(base: Path, path: str) -> Path:
    """A path as it is seen from ``base``, and as it is if nothing lies there and it can be a name of the hub."""
    absolute = Path(os.path.normpath(base / path))
    return absolute if absolute.exists() or not is_hub_name(path) else Path(path)


def _names_tests_alone(config: pytest.Config) -> bool:
    if config.args_source is not pytest.Config.ArgsSource.ARGS or not config.args:
        return False
    return all("::" in argument or (started_in(config) / argument).is_file() for argument in config.args)


def _settings_from(config: pytest.Config, owner: type) -> dict[str, Any]:
    """What the command line, the environment and the ini file give, the first of them first."""
    names = settings_in(owner, "pytest")
    options = {name: config.getoption(called_in_ini(name)) for name in names}
    ini = {name: config.getini(called_in_ini(name)) or None for name in names}
    unsaid = {name: text for name, text in ini.items() if options[name] is None and not os.environ.get(variable(name))}
    return {
        **read(owner, unsaid, Way("pytest", called_in_ini, texts=True, folder=home(config))),
        **from_environment(owner, os.environ),
        **read(owner, options, Way("pytest", called, texts=True, folder=started_in(config))),
    }


def _way_of_a_test(config: pytest.Config) -> Way:
    return Way("python", lambda name: f"{name}=", texts=False, folder=home(config))
