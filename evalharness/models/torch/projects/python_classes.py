"""The classes of modules, and functions, in Python files, read without running them."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

# What a file may do when it is imported: anything else may be the training itself.
_QUIET = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Assign, ast.AnnAssign)
_MOST_BYTES = 1_000_000
_OF_A_TABLE = ("get", "items", "keys", "values", "copy", "pop", "update")
CONFIG_ENDINGS = ("Config", "Args", "Params", "Hparams", "HParams")
"""How the classes of configurations are called that are no dataclasses."""


@dataclass(frozen=True, slots=True)
class PythonClass:
    """A class by name: what it derives from, the parameters of its ``__init__``, and the names that its body uses.

    ``required`` are the parameters without a default, ``annotations`` the names of the types of all. ``reads`` are the
    names that its ``__init__`` reads of a parameter: ``config.width``, ``config["width"]``.
    """

    file: Path
    name: str
    bases: tuple[str, ...]
    parameters: tuple[str, ...]
    uses: frozenset[str]
    is_config: bool = False
    required: tuple[str, ...] = ()
    annotations: frozenset[str] = frozenset()
    reads: frozenset[str] = frozenset()

    @property
    def origin(self) -> tuple[Path, str]:
        """The folder that it is imported from, and how a manifest there names it.

        A file of a package is imported as a part of it, so that its relative imports work.
        """
        parts, folder = [self.file.stem], self.file.parent
        while (folder / "__init__.py").is_file():
            parts.insert(0, folder.name)
            folder = folder.parent
        return folder, f"{'.'.join(parts) if len(parts) > 1 else self.file.name}:{self.name}"


def classes_in(file: Path) -> tuple[PythonClass, ...]:
    """The classes at the top of a file, in their order; none where it is no Python."""
    tree = _parsed(file)
    if tree is None:
        return ()
    return tuple(_described(file, node) for node in tree.body if isinstance(node, ast.ClassDef))


def functions_without_arguments(file: Path) -> tuple[str, ...]:
    """The names of the functions at the top of a file that can be called without an argument."""
    tree = _parsed(file)
    functions = [] if tree is None else [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    return tuple(node.name for node in functions if not _needs_argument(node.args))


def _needs_argument(parameters: ast.arguments) -> bool:
    positional = [*parameters.posonlyargs, *parameters.args]
    return len(positional) > len(parameters.defaults) or None in parameters.kw_defaults


def module_classes(classes: Iterable[PythonClass]) -> tuple[PythonClass, ...]:
    """Those that are modules of torch: they derive from ``nn.Module``, a ``LightningModule``, or one of each other."""
    classes = tuple(classes)
    known = {kind.name for kind in classes if any(base.endswith("Module") for base in kind.bases)}
    while more := {kind.name for kind in classes if kind.name not in known and known & set(kind.bases)}:
        known |= more
    return tuple(kind for kind in classes if kind.name in known)


def whole_models(classes: Iterable[PythonClass]) -> tuple[PythonClass, ...]:
    """The modules that are no part of another one, as a block is part of its model."""
    modules = module_classes(classes)
    parts = {name for module in modules for name in module.uses - {module.name}}
    return tuple(module for module in modules if module.name not in parts)


def is_quiet(file: Path) -> bool:
    """Whether importing a file only defines things. A training script that begins to train is not quiet."""
    tree = _parsed(file)
    return tree is not None and all(_is_quiet(node) for node in tree.body)


def _is_quiet(node: ast.stmt) -> bool:
    if isinstance(node, (ast.If, ast.Try)):
        is_main = isinstance(node, ast.If) and "__main__" in ast.dump(node.test)
        return is_main or all(_is_quiet(inner) for inner in ast.iter_child_nodes(node) if isinstance(inner, ast.stmt))
    is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return is_text or isinstance(node, (*_QUIET, ast.Pass))


def _parsed(file: Path) -> ast.Module | None:
    try:
        if file.stat().st_size > _MOST_BYTES:
            return None
        return ast.parse(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, SyntaxError, RecursionError):
        return None


def _described(file: Path, node: ast.ClassDef) -> PythonClass:
    fields = [
        item.target.id for item in node.body if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)
    ]
    made = next((item for item in node.body if isinstance(item, ast.FunctionDef) and item.name == "__init__"), None)
    arguments = [] if made is None else [*made.args.posonlyargs, *made.args.args][1:]
    without_default = arguments[: len(arguments) - len(made.args.defaults)] if made is not None else []
    keywords = [] if made is None else made.args.kwonlyargs
    is_dataclass = any("dataclass" in ast.dump(decorator) for decorator in node.decorator_list)
    return PythonClass(
        file=file,
        name=node.name,
        bases=tuple(ast.unparse(base).rpartition(".")[2] for base in node.bases),
        parameters=tuple(fields) if is_dataclass else tuple(argument.arg for argument in (*arguments, *keywords)),
        uses=frozenset(used.id for item in node.body for used in ast.walk(item) if isinstance(used, ast.Name)),
        is_config=is_dataclass or node.name.endswith(CONFIG_ENDINGS),
        required=tuple(argument.arg for argument in without_default),
        annotations=frozenset(ast.unparse(item.annotation).strip("'\"") for item in arguments if item.annotation),
        reads=frozenset() if made is None else frozenset(_read_of({item.arg for item in arguments}, made)),
    )


def _read_of(names: set[str], body: ast.AST) -> Iterator[str]:
    for node in ast.walk(body):
        match node:
            case ast.Attribute(value=ast.Name(id=owner), attr=name) if owner in names and name not in _OF_A_TABLE:
                yield name
            case ast.Subscript(value=ast.Name(id=owner), slice=ast.Constant(value=str(name))) if owner in names:
                yield name
