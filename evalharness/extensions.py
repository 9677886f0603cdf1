"""What other packages add: probes, problem sets, models, readers of training logs and of completion files.

A package names what it adds in its ``pyproject.toml``, under one of the groups below::

    [project.entry-points."evalharness.logs"]
    my_tool = "my_package.my_tool_log"

Nothing of it is imported before it is used. If one can't be loaded, evalharness says so in one line that names the
package, and goes on without it.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Literal

from evalharness.errors import EvalHarnessError, ExtensionError

if TYPE_CHECKING:
    from collections.abc import Callable
    from importlib.metadata import EntryPoint
    from types import ModuleType

Group = Literal["probes", "problems", "models", "projects", "logs", "completions"]

KINDS: dict[Group, tuple[str, tuple[str, ...]]] = {
    "probes": ("probe", ("name", "question", "run", "order", "asked_of")),
    "problems": ("problem set", ("NAME", "load")),
    "models": ("model loader", ("recognises", "load")),
    "projects": ("project of checkpoints", ("PROJECT", "PRIORITY", "propose")),
    "logs": ("reader of training logs", ("FORM", "recognises", "read")),
    "completions": ("reader of completion files", ("FORM", "recognises", "read")),
}
"""What each group adds, and the attributes that such an object must have."""


@dataclass(frozen=True, slots=True)
class Extension:
    """One thing that another package adds: the name of its entry point, its package, and the object itself."""

    group: Group
    name: str
    package: str
    value: Any

    @property
    def guarded(self) -> Any:
        """The object, with each error of its functions as an ExtensionError that names the package."""
        return _Guarded(self)

    def __str__(self) -> str:
        return f"the {KINDS[self.group][0]} {self.name!r} of the package {self.package}"


class _Guarded:
    """An extension's object whose functions raise no errors but this project's own."""

    def __init__(self, extension: Extension) -> None:
        self._extension = extension

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._extension.value, name)
        return partial(self._call, attribute) if callable(attribute) else attribute

    def _call(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        try:
            result = function(*args, **kwargs)
            return list(result) if isinstance(result, Iterator) else result
        except EvalHarnessError:
            raise
        except Exception as error:  # whatever the package's own code raises
            raise ExtensionError(f"{self._extension} failed: {_in_a_line(error)}") from error


def _in_a_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"


@dataclass(frozen=True, slots=True)
class Extensions:
    """Everything that other packages add to one group; ``faults`` has a line for each that can't be used."""

    loaded: tuple[Extension, ...]
    faults: tuple[str, ...]


@cache
def extensions(group: Group) -> Extensions:
    """Load everything that other packages add to a group."""
    loaded: list[Extension] = []
    faults: list[str] = []
    for point in _entry_points(group):
        try:
            loaded.append(_load(group, point))
        except ExtensionError as error:
            faults.append(str(error))
    return Extensions(tuple(loaded), tuple(faults))


def extension_names(group: Group) -> tuple[str, ...]:
    """The names of what other packages add to a group. Loads nothing."""
    return tuple(point.name for point in _entry_points(group))


def extension_named(group: Group, name: str) -> Extension | None:
    """Load what is added under a name; None if nothing is. Raises ExtensionError if it can't be used."""
    point = next((point for point in _entry_points(group) if point.name == name), None)
    return None if point is None else _load(group, point)


def own_modules(package: str, attribute: str) -> tuple[ModuleType, ...]:
    """The modules that lie directly in one of this project's packages and define ``attribute``, by name."""
    path = importlib.import_module(package).__path__
    modules = (importlib.import_module(f"{package}.{module.name}") for module in pkgutil.iter_modules(path))
    return tuple(module for module in modules if attribute in vars(module))


@cache
def _entry_points(group: Group) -> tuple[EntryPoint, ...]:
    from importlib.metadata import entry_points  # noqa: PLC0415 - --help needs no list of installed packages

    return tuple(sorted(entry_points(group=f"evalharness.{group}"), key=lambda point: point.name))


def _load(group: Group, point: EntryPoint) -> Extension:
    extension = Extension(group, point.name, point.dist.name if point.dist is not None else point.module, None)
    try:
        value = point.load()
    except Exception as error:  # whatever the package's own code raises while it is imported
        raise ExtensionError(f"{extension} can't be loaded: {_in_a_line(error)}") from error
    missing = [name for name in KINDS[group][1] if not hasattr(value, name)]
    if missing:
        raise ExtensionError(f"{extension} can't be used: {point.value} has no {' and no '.join(missing)}")
    return replace(extension, value=value)
