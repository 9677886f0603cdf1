"""Values of settings, read from wherever they were given. A wrong value gives the same sentence, whichever way it came.

::

    --samples: 'many' is not a whole number of 0 or more
    EVALHARNESS_SAMPLES: 'many' is not a whole number of 0 or more
"""

from __future__ import annotations

import difflib
import numbers
import os
import reprlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from evalharness.errors import Fault, SettingError
from evalharness.settings.amounts import PATTERNS
from evalharness.settings.declaration import EVERYWHERE, Place, Setting, expected, settings_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from pydantic import TypeAdapter

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Way:
    """A way in which values come: what a setting is called there, and how its values are written.

    ``texts`` says that every value is a text, with commas between several. Relative paths start in ``folder``, and stay
    as they are if it is None.
    """

    place: Place
    called: Callable[[str], str]
    texts: bool
    folder: Path | None = None


def option(name: str) -> str:
    """What a setting is called on the command line."""
    return f"--{name.replace('_', '-')}"


COMMAND_LINE = Way("command", option, texts=True)
PYTHON = Way("python", lambda name: f"{name}=", texts=False)


def read(owner: type, given: Mapping[str, Any], way: Way) -> dict[str, Any]:
    """The values of one place, checked; None means "not given". Raises :class:`SettingError` with every fault."""
    values, faults = values_and_faults(owner, given, way)
    if faults:
        raise SettingError(faults)
    return values


def values_and_faults(owner: type, given: Mapping[str, Any], way: Way) -> tuple[dict[str, Any], list[Fault]]:
    """The values of one place that are right, and what is wrong with the others."""
    known = settings_of(owner)
    values: dict[str, Any] = {}
    faults = []
    for name, value in given.items():
        if value is None:
            continue
        if name not in known or way.place not in known[name].declared.places:
            faults.append(Fault(name, way.called(name), _refusal(name, known, way)))
            continue
        try:
            values[name] = _checked(known[name], value, way)
        except (ValueError, TypeError):
            faults.append(Fault(name, way.called(name), _problem(known[name], value, way)))
    return values, faults


def laid_over(owner: type[T], *layers: Mapping[str, Any]) -> T:
    """The settings of a class, each from the first layer that has it, else its default."""
    values: dict[str, Any] = {}
    for layer in reversed(layers):
        values |= {name: value for name, value in layer.items() if value is not None}
    return owner(**values)


def as_text(value: Any) -> str:
    """A value as it is written on a command line."""
    if isinstance(value, dict):
        return ",".join(f"{name}={part}" for name, part in value.items())
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def adapter(setting: Setting) -> TypeAdapter[Any]:
    """Pydantic's check of a setting's values, which also knows their JSON schema."""
    return _adapter(setting)


@cache
def _adapter(setting: Setting) -> TypeAdapter[Any]:
    from pydantic import Field, TypeAdapter  # noqa: PLC0415 - 70 ms that --help need not spend

    limits = setting.declared.limits
    ranges: dict[str, Any] = {"ge": limits.at_least, "gt": limits.above, "le": limits.at_most, "lt": limits.below}
    finite: dict[str, Any] = {"allow_inf_nan": False} if setting.item is float else {}
    ranges["pattern"] = setting.declared.pattern
    constraints: dict[str, Any] = {name: value for name, value in ranges.items() if value is not None}
    if setting.item in PATTERNS:
        constraints["pattern"] = PATTERNS[setting.item]
    item: Any = Annotated[setting.item, Field(**constraints, **finite)]
    if not setting.is_list:
        return TypeAdapter(item)
    return TypeAdapter(Annotated[tuple[item, ...], Field(min_length=int(setting.declared.needs_one))])


def _checked(setting: Setting, value: Any, way: Way) -> Any:
    parts = _from_text(setting, value) if way.texts else value
    if setting.is_list:
        items = parts if isinstance(parts, (list, tuple, set, frozenset)) else (parts,)
        prepared: Any = tuple(_prepared(setting, item, way.folder) for item in items)
    elif isinstance(parts, dict) and setting.item == dict[str, Path]:
        prepared = {name: _path(part, way.folder) for name, part in parts.items()}
    else:
        prepared = _prepared(setting, parts, way.folder)
    return adapter(setting).validate_python(prepared, strict=not way.texts)


def _from_text(setting: Setting, text: str) -> Any:
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if setting.item == dict[str, Path]:
        return dict(part.split("=", 1) for part in parts)
    return parts if setting.is_list else text.strip()


def _prepared(setting: Setting, value: Any, folder: Path | None) -> Any:
    """A number of numpy as Python's own, and a relative path from its folder."""
    if setting.item is Path:
        return _path(value, folder)
    if isinstance(value, os.PathLike) and setting.declared.names_or_paths:
        value = os.fspath(value)
    if setting.declared.names_or_paths and isinstance(value, str) and ("/" in value or value.endswith(".jsonl")):
        return str(_path(value, folder))
    if isinstance(value, bool):
        return value
    if setting.item is int and isinstance(value, numbers.Integral):
        return int(value)
    return float(value) if setting.item is float and isinstance(value, numbers.Real) else value


def _path(value: Any, folder: Path | None) -> Any:
    if not isinstance(value, (str, os.PathLike)):
        return value
    path = Path(value).expanduser()
    return path if folder is None else folder / path


def _problem(setting: Setting, value: Any, way: Way) -> str:
    shown = value if way.texts and _number(value) is not None else reprlib.repr(value)
    if setting.declared.needs_one and value in ("", (), []):
        return f"{shown} is empty; give {expected(setting)}"
    return f"{shown} is not {expected(setting)}{_nearest_value(setting, value)}"


def _nearest_value(setting: Setting, value: Any) -> str:
    number = _number(value)
    if setting.declared.limits.is_fraction and number is not None and 1 < number <= 100:
        return f"; did you mean {number / 100:g}?"
    if setting.choices and isinstance(value, str):
        return _did_you_mean(value, setting.choices)
    return ""


def _number(value: Any) -> float | None:
    try:
        return None if isinstance(value, bool) else float(value)
    except (ValueError, TypeError):
        return None


def _refusal(name: str, known: Mapping[str, Setting], way: Way) -> str:
    if name not in known:
        here = [other for other, setting in known.items() if way.place in setting.declared.places]
        return f"no setting {name!r}{_did_you_mean(name, here) or '; there are ' + ', '.join(here)}"
    places = [_PLACES[place] for place in EVERYWHERE if place in known[name].declared.places]
    return f"can't be set here, only {' or '.join(places)}"


_PLACES: dict[Place, str] = {
    "command": "on the command line",
    "pytest": "for pytest",
    "environment": "in the environment",
    "manifest": "in a manifest",
    "python": "in Python",
}


def _did_you_mean(text: str, known: Collection[str]) -> str:
    nearest = difflib.get_close_matches(text, known, n=1, cutoff=0.5)
    return f"; did you mean {nearest[0]!r}?" if nearest else ""
