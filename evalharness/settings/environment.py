"""Settings from the environment: ``EVALHARNESS_`` and the name in capitals, such as ``EVALHARNESS_SAMPLES=8``."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalharness.settings.declaration import settings_in
from evalharness.settings.values import Way, read

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PREFIX = "EVALHARNESS_"
NO_SETTINGS = frozenset({f"{PREFIX}{name}" for name in ("SANDBOX_DEBUG", "FULL", "UPDATE_GOLDEN")})
"""What this project reads besides: a look into the sandbox, and its own tests."""


def variable(name: str) -> str:
    """The environment variable of a setting or a problem set: that of ``humaneval+`` ends in ``HUMANEVAL_PLUS``."""
    return PREFIX + name.upper().replace("+", "_PLUS")


def from_environment(owner: type, environment: Mapping[str, str]) -> dict[str, Any]:
    """The values that the environment gives to the settings of a class; an empty one means "not given".

    Raises :class:`evalharness.errors.SettingError` that gathers every value which can't be read.
    """
    texts = {name: environment.get(variable(name)) or None for name in settings_in(owner, "environment")}
    return read(owner, texts, Way("environment", variable, texts=True, folder=Path.cwd()))


def unknown_variables(
    environment: Mapping[str, str], owners: Iterable[type], problem_sets: Iterable[str] = ()
) -> dict[str, str]:
    """Variables that look like settings and are none, with the nearest that is one or an empty text.

    A variable with the name of a problem set says where its file is.
    """
    known = [variable(name) for owner in owners for name in settings_in(owner, "environment")]
    known += map(variable, problem_sets)
    names = [name for name in environment if name.startswith(PREFIX) and name not in {*known, *NO_SETTINGS}]
    return {name: next(iter(difflib.get_close_matches(name, known, n=1)), "") for name in sorted(names)}
