"""Settings from the environment: ``EVALHARNESS_`` and a setting's name in capitals, such as ``EVALHARNESS_SAMPLES=8``.

The same texts are what ``--evalharness-samples 8`` of pytest is read from. Lists are separated by commas.
"""

from __future__ import annotations

import dataclasses
import difflib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalharness.errors import EvalHarnessError
from evalharness.settings.manifest import GateSettings, ScoreSettings, expected_of, problems_from

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PREFIX = "EVALHARNESS_"
NO_SETTINGS = frozenset({"EVALHARNESS_SANDBOX_DEBUG", "EVALHARNESS_FULL", "EVALHARNESS_UPDATE_GOLDEN"})
"""What this project reads besides, to look into the sandbox and for its own tests."""
_TRUTHS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return PREFIX + name.upper()


def from_environment(settings: type, environment: Mapping[str, str]) -> dict[str, Any]:
    """The values that the environment gives to the settings of a class; an empty one is "not said".

    Raises :class:`EvalHarnessError` that gathers every value which can't be read.
    """
    texts = {name: environment.get(variable(name), "") for name in types_of(settings)}
    return parsed(settings, {name: text for name, text in texts.items() if text}, variable)


def parsed(
    settings: type, texts: Mapping[str, str], label: Callable[[str], str], folder: Path | None = None
) -> dict[str, Any]:
    """Read texts by the types of the settings; ``label`` is what a setting is called in an error.

    Paths are relative to ``folder``, the working folder unless another is given.
    """
    types, folder = types_of(settings), folder or Path.cwd()
    values: dict[str, Any] = {}
    faults = []
    for name, text in texts.items():
        try:
            values[name] = _value(name, text.strip(), types[name], folder)
        except (ValueError, KeyError):
            faults.append(f"{label(name)}={text!r} is not {expected_of(types[name])}")
    if faults:
        raise EvalHarnessError("; ".join(faults))
    return values


def types_of(settings: type) -> dict[str, str]:
    """The settings of a class and their types, as its source names them."""
    return {item.name: str(item.type).removesuffix(" | None") for item in dataclasses.fields(settings)}


def unknown_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Variables that look like settings and are none, with the nearest that is one or an empty text."""
    known = [variable(name) for settings in (ScoreSettings, GateSettings) for name in types_of(settings)]
    names = [name for name in environment if name.startswith(PREFIX) and name not in {*known, *NO_SETTINGS}]
    return {name: next(iter(difflib.get_close_matches(name, known, n=1)), "") for name in sorted(names)}


def _value(name: str, text: str, kind: str, folder: Path) -> Any:
    if kind.startswith("tuple"):
        parts = tuple(part.strip() for part in text.split(",") if part.strip())
        if name == "problems":
            return tuple(problems_from(folder, part) for part in parts)
        return tuple(int(part) for part in parts) if "int" in kind else parts
    if kind == "Path":
        return folder / Path(text).expanduser()
    if kind == "bool":
        return _TRUTHS[text.lower()]
    return {"int": int, "float": float}.get(kind, str)(text)
