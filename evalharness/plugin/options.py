"""Pytest's options and ini values, from the declarations of the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalharness.settings.declaration import Setting, settings_in
from evalharness.settings.gate import GateOptions
from evalharness.settings.score import ScoreOptions

if TYPE_CHECKING:
    import pytest

OWNERS: tuple[type, ...] = (ScoreOptions, GateOptions)


def add_options(parser: pytest.Parser, owners: tuple[type, ...] = OWNERS) -> None:
    """Add an option and an ini value for every setting, and those that only pytest has."""
    group = parser.getgroup("evalharness", "evalharness: checks of model checkpoints")
    group.addoption(
        "--evalharness-checkpoint",
        action="append",
        metavar="PATH",
        help="Collect the checks of this checkpoint. May be given more than once.",
    )
    group.addoption("--evalharness-update-baseline", action="store_true", help="Write a new baseline, and fail once.")
    parser.addini("evalharness_checkpoint", "Checkpoints whose checks are collected.", type="args")
    for owner in owners:
        for setting in settings_in(owner, "pytest").values():
            _add(group, setting)
            parser.addini(called_in_ini(setting.name), setting.help, default="")


def called(name: str) -> str:
    """The option of a setting."""
    return f"--evalharness-{name.replace('_', '-')}"


def called_in_ini(name: str) -> str:
    """The ini value of a setting, which is also where pytest keeps the option."""
    return f"evalharness_{name}"


def _add(group: pytest.OptionGroup, setting: Setting) -> None:
    dest, text = called_in_ini(setting.name), setting.help.replace("%", "%%")
    if not setting.is_flag:
        group.addoption(called(setting.name), dest=dest, metavar=setting.metavar, help=text)
        return
    # Not with an optional value: pytest would take the path of a test that follows it.
    for option, value in ((setting.option, "true"), (setting.off_option, "false")):
        name = f"--evalharness-{option.removeprefix('--')}"
        group.addoption(name, dest=dest, action="store_const", const=value, help=text)
