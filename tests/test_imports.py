"""No import of the package goes round in a cycle. Imports for type checking and inside functions count as well."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

import evalharness

PACKAGE = Path(evalharness.__file__).parent


def modules_of(package: Path) -> dict[str, Path]:
    """Every module of a package by its dotted name; a package stands for its ``__init__``."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = (package.name, *path.relative_to(package).with_suffix("").parts)
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports_of(module: str, path: Path, known: Mapping[str, Path]) -> Iterator[str]:
    """The modules that a file names in an import, wherever in it that stands.

    ``from a import b`` names ``a.b`` if that is a module, else ``a``. That importing ``a.b`` runs ``a/__init__.py``
    first is not counted: it would make every package that exports something a cycle.
    """
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom):
            above = package.rsplit(".", node.level - 1)[0] if node.level else ""
            start = ".".join(filter(None, (above, node.module)))
            for alias in node.names:
                submodule = f"{start}.{alias.name}"
                if submodule in known or start in known:
                    yield submodule if submodule in known else start


def cycles(edges: Mapping[str, set[str]]) -> list[list[str]]:
    """The groups of modules that all reach each other (strongly connected components), by Tarjan's algorithm."""
    found: list[list[str]] = []
    index: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []

    def visit(module: str) -> None:
        index[module] = lowest[module] = len(index)
        stack.append(module)
        for other in sorted(edges[module]):
            if other not in index:
                visit(other)
                lowest[module] = min(lowest[module], lowest[other])
            elif other in stack:
                lowest[module] = min(lowest[module], index[other])
        if lowest[module] == index[module]:
            place = stack.index(module)
            group = stack[place:]
            del stack[place:]
            if len(group) > 1 or module in edges[module]:
                found.append(sorted(group))

    for module in sorted(edges):
        if module not in index:
            visit(module)
    return found


def cycles_of(package: Path) -> list[list[str]]:
    known = modules_of(package)
    return cycles({module: set(imports_of(module, path, known)) for module, path in known.items()})


def test_no_import_goes_round_in_a_cycle() -> None:
    found = cycles_of(PACKAGE)
    assert found == [], "import cycles: " + "; ".join(" <-> ".join(group) for group in found)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"a": "from p import b", "b": "import p.c", "c": ""}, []),
        ({"a": "from p import b", "b": "import p.c", "c": "from p.a import x"}, [["p.a", "p.b", "p.c"]]),
        ({"a": "if TYPE_CHECKING:\n    from p.b import x", "b": "def f():\n    from p import a"}, [["p.a", "p.b"]]),
        ({"__init__": "from p.a import x", "a": "from p import y"}, [["p", "p.a"]]),
        ({"__init__": "from .a import x", "a": "from .b import y", "b": "from . import z"}, [["p", "p.a", "p.b"]]),
        ({"__init__": "from p.a import x", "a": "from p import b", "b": ""}, []),
    ],
    ids=["a chain", "three in a circle", "for types and in a function", "through the package", "relative", "a sibling"],
)
def test_the_search_finds_each_cycle_with_its_names(tmp_path, files, expected) -> None:
    package = tmp_path / "p"
    package.mkdir()
    (package / "__init__.py").touch()
    for name, text in files.items():
        (package / f"{name}.py").write_text(text)
    assert cycles_of(package) == expected
