"""The user's own code: a factory, a forward function or a tokenizer that the manifest names is found and run.

Code runs with the folder of its file and that of the manifest first on the path, so that the imports that work in the
user's training script work here; what it prints goes to stderr, for stdout carries data.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import importlib
import importlib.util
import inspect
import json
import sys
import sysconfig
import tomllib
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from evalharness.errors import CheckpointError, ManifestError
from evalharness.models.torch.error_text import first_line, nearest
from evalharness.settings.manifest import CODE_SPEC

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import ModuleType

    from evalharness.settings.manifest import ModelSettings

_OWN_PACKAGE = Path(__file__).resolve().parents[2]
_LIBRARY_FOLDERS = tuple(
    Path(folder).resolve() for key in ("stdlib", "platstdlib") if (folder := sysconfig.get_path(key))
)

# Modules that user code imported in this process, by name, so that a later load of the same folder reads it again.
_IMPORTED: dict[str, ModuleType] = {}


@dataclass(frozen=True, slots=True)
class UserObject:
    """Something of the user's code: its value, what the manifest calls it, and the file that it comes from."""

    spec: str
    value: Any
    file: Path | None


def is_library(file: Path) -> bool:
    """Whether a source file belongs to an installed library, to Python, or to evalharness itself."""
    file = file.resolve()
    if {"site-packages", "dist-packages"} & set(file.parts) or file.is_relative_to(_OWN_PACKAGE):
        return True
    return any(file.is_relative_to(folder) for folder in _LIBRARY_FOLDERS)


class UserCode:
    """All code of one checkpoint. Make a new one for each load: it imports anew what lies in its folders."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.roots: list[Path] = [self.folder]
        self._set_aside: dict[str, ModuleType] = {}
        self._own: dict[str, ModuleType] = {}
        self._forget(self.folder)

    def load(self, spec: str, key: str) -> UserObject:
        """Import what a spec names. ``key`` is the manifest's key, for messages.

        Raises ManifestError for a spec that is not of the form, CheckpointError where file or name don't exist or the
        import raises.
        """
        match = CODE_SPEC.fullmatch(spec)
        if match is None:
            raise ManifestError(f"{key} = {spec!r}: expected 'file.py:name' or 'package.module:name'")
        module = self._import(match["module"], spec, key)
        value: Any = module
        for part in match["attribute"].split("."):
            if not hasattr(value, part):
                known = [name for name in vars(value) if not name.startswith("_")] if hasattr(value, "__dict__") else []
                raise CheckpointError(f"{key} = {spec!r}: {match['module']} has no {part!r} ({nearest(part, known)})")
            value = getattr(value, part)
        file = getattr(module, "__file__", None)
        return UserObject(spec, value, Path(file).resolve() if file else None)

    def call(self, user_object: UserObject, key: str, *args: Any, **kwargs: Any) -> Any:
        """Call a user's function; what it raises becomes one CheckpointError with the line of the user's file."""
        if not callable(user_object.value):
            kind = type(user_object.value).__name__
            raise CheckpointError(f"{key} = {user_object.spec!r}: its type is {kind}, expected a function or a class")
        with self.running(), self.explained(f"{key} = {user_object.spec!r}"):
            return user_object.value(*args, **kwargs)

    @contextlib.contextmanager
    def explained(self, source: str) -> Iterator[None]:
        """Turn anything that user code raises into one CheckpointError that names exception, file and line."""
        try:
            yield
        except CheckpointError:
            raise
        except (Exception, SystemExit) as error:
            raise CheckpointError(f"{source}: raises {self._with_line(error)}") from error

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Run user code as its own script would: its folders first on the path, its modules before ours."""
        added = [str(root) for root in self.roots]
        hidden = self._hide_namesakes()
        before = set(sys.modules)
        sys.modules.update(self._set_aside)
        sys.path[:0] = added
        # No __pycache__ in the user's folder, and no stale one of a file that changed within the same second.
        write_bytecode, sys.dont_write_bytecode = sys.dont_write_bytecode, True
        importlib.invalidate_caches()
        try:
            with contextlib.redirect_stdout(sys.stderr):
                yield
        finally:
            sys.dont_write_bytecode = write_bytecode
            for entry in added:
                with contextlib.suppress(ValueError):
                    sys.path.remove(entry)
            new = set(sys.modules) - before
            self._remember(new)
            self._put_back(hidden, new)

    def guarded(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function as one that may import while it runs.

        That takes care only where something else stands under the name of one of the user's modules.
        """
        if not self._set_aside:
            return function

        def run(*args: Any) -> Any:
            with self.running():
                return function(*args)

        return run

    def _import(self, name: str, spec: str, key: str) -> ModuleType:
        if not name.endswith(".py"):
            with self.running(), self.explained(f"{key} = {spec!r}"):
                return importlib.import_module(name)
        file = (self.folder / name).resolve()
        if not file.is_file():
            near = [str(path.relative_to(self.folder)) for path in sorted(self.folder.glob("*.py"))]
            raise CheckpointError(f"{key} = {spec!r}: there is no file {file} ({nearest(name, near)})")
        package, root = _package_of(file)
        for folder in dict.fromkeys((root, file.parent)):
            if folder not in self.roots:
                self.roots.insert(0, folder)
                self._forget(folder)
        # Named by its whole path: two checkpoints with a models.py each are two modules.
        unique = f"{package}_evalharness_{hashlib.sha256(str(file).encode()).hexdigest()[:16]}_{file.stem}"
        if unique in self._own:
            return self._own[unique]
        loader = importlib.util.spec_from_file_location(unique, file)
        if loader is None or loader.loader is None:
            raise CheckpointError(f"{key} = {spec!r}: {file} can't be imported")
        module = importlib.util.module_from_spec(loader)
        with self.running(), self.explained(f"{key} = {spec!r}"):
            sys.modules[unique] = module
            loader.loader.exec_module(module)
        self._own[unique] = module
        return module

    def _with_line(self, error: BaseException) -> str:
        """``ValueError: no such layer (models.py line 12)``: the innermost line in the user's own files."""
        if isinstance(error, SyntaxError) and error.filename:
            return f"{first_line(error)} ({Path(error.filename).name} line {error.lineno})"
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if self._is_under_roots(frame.filename)]
        place = f" ({Path(frames[-1].filename).name} line {frames[-1].lineno})" if frames else ""
        return f"{first_line(error)}{place}"

    def _is_under_roots(self, file: str | None) -> bool:
        if not file:
            return False
        path = Path(file).resolve()
        return any(path.is_relative_to(root) for root in self.roots) and not is_library(path)

    def _own_names(self) -> set[str]:
        names = set()
        for root in self.roots:
            names |= {path.stem for path in root.glob("*.py")}
            names |= {path.parent.name for path in root.glob("*/__init__.py")}
        return names - sys.stdlib_module_names - {"__main__"}

    def _hide_namesakes(self) -> dict[str, ModuleType]:
        """Take modules out of sys.modules that stand under a name that the user's folders have a file for."""
        names = self._own_names()
        hidden = {
            name: module
            for name, module in sys.modules.items()
            if name.partition(".")[0] in names and not _lies_under(module, self.roots)
        }
        for name in hidden:
            del sys.modules[name]
        return hidden

    def _remember(self, new: set[str]) -> None:
        for name in new:
            module = sys.modules.get(name)
            if module is not None and self._is_under_roots(getattr(module, "__file__", None)):
                _IMPORTED[name] = self._own[name] = module

    def _forget(self, root: Path) -> None:
        """Let the next import read a folder's files again: they may have changed since an earlier load."""
        for name, module in list(_IMPORTED.items()):
            if name not in self._own and _lies_under(module, [root]):
                del _IMPORTED[name]
                if sys.modules.get(name) is module:
                    del sys.modules[name]

    def _put_back(self, hidden: dict[str, ModuleType], new: set[str]) -> None:
        """Give a library its name back; the user's module of that name is kept for the next run of their code."""
        packages = {name.partition(".")[0] for name in hidden}
        for name in new:
            if name.partition(".")[0] in packages and name in sys.modules:
                self._set_aside[name] = sys.modules.pop(name)
        sys.modules.update(hidden)


def _package_of(file: Path) -> tuple[str, Path]:
    """The package that a file is part of, with a dot after it, and the folder that it is imported from."""
    parts: list[str] = []
    folder = file.parent
    while (folder / "__init__.py").is_file():
        parts.insert(0, f"{folder.name}.")
        folder = folder.parent
    return "".join(parts), folder


def _lies_under(module: ModuleType, roots: list[Path]) -> bool:
    file = getattr(module, "__file__", None)
    return bool(file) and any(Path(str(file)).resolve().is_relative_to(root) for root in roots)


def build(code: UserCode, factory: UserObject, settings: ModelSettings) -> nn.Module:
    """Call the factory and return its module.

    ``args`` become keyword arguments. The content of ``config`` is handed over as one dict; a factory that can't take
    one positional argument gets it as keyword arguments instead. One that wants a dataclass gets that, made of either.
    Random numbers are seeded, so that what is not in a weight file comes out the same each time, and the process's own
    generator is left as it was.
    """
    values = dict(settings.args) if settings.config is None else read_config(settings.config)
    with code.running(), code.explained(f"factory = {factory.spec!r}"):
        args, kwargs = _arguments(factory, values, is_config=settings.config is not None)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = code.call(factory, "factory", *args, **kwargs)
    if not isinstance(module, nn.Module):
        kind = type(module).__name__
        raise CheckpointError(f"factory = {factory.spec!r}: returns a {kind}, expected a torch.nn.Module")
    return module


def argument_names(factory: UserObject) -> Iterator[tuple[str, ...]]:
    """The names of what a factory takes: of its parameters, and of the fields of each configuration beside it."""
    with contextlib.suppress(TypeError, ValueError):
        yield tuple(inspect.signature(factory.value).parameters)
    for kind in _configs_beside(factory):
        yield _fields(kind)


def read_config(path: Path) -> dict[str, Any]:
    """Read the manifest's ``config``: a JSON or TOML file that holds a table."""
    try:
        text = path.read_text(encoding="utf-8")
        values: Any = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    except OSError as error:
        raise ManifestError(f"config = {str(path)!r}: can't be read: {error.strerror}") from error
    except ValueError as error:
        raise ManifestError(f"config = {str(path)!r}: is not valid: {first_line(error)}") from error
    if not isinstance(values, dict):
        raise ManifestError(f"config = {str(path)!r}: holds a {type(values).__name__}, expected a table")
    return values


class Table(dict[str, Any]):
    """A table whose values are also attributes: code reads its configuration as ``config["width"]`` or ``.width``."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


def _arguments(
    factory: UserObject, values: dict[str, Any], *, is_config: bool
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    config_class = _config_class(factory, values, by_name=not is_config)
    if config_class is not None:
        return (config_class(**values),), {}
    if values and not is_config and not _takes(factory, **values) and _takes(factory, values):
        return (Table(values),), {}
    return ((values,), {}) if is_config and _takes(factory, values) else ((), values)


def _takes(factory: UserObject, *args: Any, **kwargs: Any) -> bool:
    """Whether the factory can be called so; a builtin without a signature may be."""
    try:
        inspect.signature(factory.value).bind(*args, **kwargs)
    except TypeError:
        return False
    except ValueError:
        pass
    return True


def _config_class(factory: UserObject, values: Mapping[str, Any], *, by_name: bool) -> Any:
    """The class of a configuration that a factory wants for ``values``, as nanoGPT's ``GPT(GPTConfig(**model_args))``.

    Its one required parameter says so by its annotation, or, for a class with ``by_name``, the smallest of the same
    file that has all these values does. None if it wants none.
    """
    try:
        parameters = list(inspect.signature(factory.value).parameters.values())
    except (TypeError, ValueError):
        return None
    required = [item for item in parameters if item.default is item.empty and item.kind in _POSITIONAL]
    if len(required) != 1 or required[0].name in values:
        return None
    beside = {kind.__name__: kind for kind in _configs_beside(factory)}
    annotated = required[0].annotation
    annotated = beside.get(annotated) if isinstance(annotated, str) else annotated
    if _holds(annotated, values):
        return annotated
    if not by_name or not isinstance(factory.value, type):
        return None
    fitting = [kind for kind in beside.values() if _holds(kind, values)]
    return min(fitting, key=lambda kind: len(_fields(kind)), default=None)


def _configs_beside(factory: UserObject) -> list[Any]:
    """The configurations that the factory's file defines or imports."""
    module = sys.modules.get(getattr(factory.value, "__module__", None) or "")
    classes = [] if module is None else [kind for kind in vars(module).values() if isinstance(kind, type)]
    return list(dict.fromkeys(kind for kind in classes if _fields(kind)))


def _fields(kind: Any) -> tuple[str, ...]:
    """What a configuration holds: a dataclass, or a class that is called one; nothing for anything else."""
    if not isinstance(kind, type) or issubclass(kind, nn.Module):
        return ()
    if dataclasses.is_dataclass(kind):
        return tuple(item.name for item in dataclasses.fields(kind) if item.init)
    if kind.__name__.endswith(CONFIG_ENDINGS):
        with contextlib.suppress(TypeError, ValueError):
            return tuple(inspect.signature(kind).parameters)
    return ()


CONFIG_ENDINGS = ("Config", "Args", "Params", "Hparams", "HParams")
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def _holds(kind: Any, values: Mapping[str, Any]) -> bool:
    """Whether a type is a configuration with a field for each of the values."""
    fields = _fields(kind)
    return bool(fields) and values.keys() <= set(fields)
