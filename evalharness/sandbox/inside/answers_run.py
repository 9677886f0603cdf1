"""Whether tests could run code that a program has answered with. They run in the judge, so that would be judge, too.

Only plain uses are looked for: the tests are the user's own, and nobody hides anything in them.
"""

from __future__ import annotations

import ast
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_ANY = frozenset({"*"})
_LOADING = frozenset({"load", "loads", "Unpickler"})
_RUNNING = {
    "builtins": frozenset({"eval", "exec", "compile", "__import__"}),
    "importlib": frozenset({"import_module", "__import__"}),
    "os": frozenset(
        {"system", "popen", "posix_spawn", "posix_spawnp"}
        | {f"{verb}{how}" for verb in ("exec", "spawn") for how in ("l", "le", "lp", "lpe", "v", "ve", "vp", "vpe")}
    ),
    "importlib.util": frozenset({"spec_from_file_location"}),
    "importlib.machinery": frozenset({"ExtensionFileLoader", "SourceFileLoader", "SourcelessFileLoader"}),
    "ctypes": frozenset({"CDLL", "PyDLL", "cdll", "pydll"}),
    **dict.fromkeys(("code", "codeop", "imp", "runpy", "subprocess"), _ANY),
    **dict.fromkeys(("cloudpickle", "dill", "joblib", "marshal", "pickle"), _LOADING),
}
"""By its module: the functions that run what they are given."""
_DUMPING = frozenset({"dump", "dumps"})
_FIXED_ATTRIBUTES = frozenset({"executable"})


def could_be_run(*trees: ast.Module) -> bool:
    """Whether these parts of the tests could run something that is not written in them."""
    return _Uses([node for tree in trees for node in ast.walk(tree)]).any_of_what_is_given()


class _Uses:
    """The functions that run code, by the names that the tests have for them."""

    def __init__(self, nodes: list[ast.AST]) -> None:
        self._nodes = nodes
        self._names = set(_RUNNING["builtins"])
        unimported = _RUNNING.keys() - self._bound()
        self._modules = {"__builtins__": "builtins", **{name: name for name in unimported}}  # imported for the tests
        for node in self._nodes:
            self._imported(node)
        self._fixed = self._names_of_constants()

    def any_of_what_is_given(self) -> bool:
        """Whether one is called with something that is not fixed, or handed on, who knows to whom."""
        calls = [node for node in self._nodes if isinstance(node, ast.Call) and self._runs(node.func)]
        called = {id(call.func) for call in calls}
        return any(not self._is_fixed(argument) for call in calls for argument in _code_of(call)) or any(
            self._runs(node) and id(node) not in called for node in self._nodes
        )

    def _bound(self) -> Counter[str]:
        """How often each name is bound, other than by an import."""
        bound = Counter(n.id for n in self._nodes if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load))
        bound.update(node.arg for node in self._nodes if isinstance(node, ast.arg))
        return bound

    def _imported(self, node: ast.AST) -> None:
        if isinstance(node, ast.Import):
            self._modules.update((alias.asname or alias.name, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            of_module = _RUNNING.get(node.module or "", frozenset())
            self._names.update(a.asname or a.name for a in node.names if of_module & {a.name, "*"})
            self._modules.update((a.asname or a.name, f"{node.module}.{a.name}") for a in node.names)

    def _names_of_constants(self) -> set[str]:
        """What is bound to nothing but constants."""
        bound = self._bound()
        constant = Counter(name for node in self._nodes for name in _bound_to_a_constant(node))
        return {name for name, times in constant.items() if bound[name] == times}

    def _runs(self, node: ast.AST) -> bool:
        if isinstance(node, ast.Name):
            return isinstance(node.ctx, ast.Load) and node.id in self._names
        if isinstance(node, ast.Attribute):
            of_module = _RUNNING.get(self._modules.get(_dotted(node.value), ""), frozenset())
            return bool(of_module & {node.attr, "*"})
        return False

    def _is_fixed(self, node: ast.expr) -> bool:
        """Whether its value follows from the tests alone; what they have themselves dumped may be loaded again."""
        if isinstance(node, ast.Name):
            return node.id in self._fixed
        if isinstance(node, ast.Attribute):
            return node.attr in _FIXED_ATTRIBUTES
        if isinstance(node, ast.Call):
            return isinstance(node.func, ast.Attribute) and node.func.attr in _DUMPING
        if isinstance(node, (ast.List, ast.Tuple)):
            return all(map(self._is_fixed, node.elts))
        return isinstance(node, ast.Constant)


def _dotted(node: ast.expr) -> str:
    """A name with its attributes, as it is written; empty for anything else."""
    if isinstance(node, ast.Attribute):
        before = _dotted(node.value)
        return before and f"{before}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def _code_of(call: ast.Call) -> Iterator[ast.expr]:
    """The arguments that may be what is run. The others of a builtin function are names for it."""
    is_builtin = isinstance(call.func, ast.Name) and call.func.id in _RUNNING["builtins"]
    yield from call.args[:1] if is_builtin else call.args
    yield from (keyword.value for keyword in call.keywords)


def _bound_to_a_constant(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
        yield from (target.id for target in node.targets if isinstance(target, ast.Name))
