"""A problem's tests, compiled once and run for each program, with a stand-in for what the program defines."""

from __future__ import annotations

import ast
import builtins
import contextlib
import sys
from typing import TYPE_CHECKING, Any

from . import answers_run

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType

_PROMPT_NAME = "<prompt>"
_MODULE = "tests"
_CONTAINERS = (list, dict, set, bytearray)
# Their functions keep no state but random's, which is set anew for each check.
_TRACELESS_MODULES = frozenset(
    {"bisect", "cmath", "collections", "copy", "fractions", "functools", "heapq", "itertools", "math", "operator"}
    | {"random", "re", "statistics", "string", "typing"}
)
_HARMLESS_MODULES = _TRACELESS_MODULES | frozenset(
    {"abc", "asyncio", "contextlib", "dataclasses", "datetime", "decimal", "enum", "io", "numbers", "__future__"}
)
_LEAVING_TRACES = frozenset(
    {"__import__", "breakpoint", "compile", "delattr", "eval", "exec", "globals", "input", "locals", "open", "setattr"}
    | {"vars", "__builtins__"}
)


class Check:
    """The tests of one problem.

    ``fault`` says why they can't judge anything, and is empty where they can; it does not depend on any program.
    ``leaves_traces`` is whether running them could leave something behind in the interpreter for the next check, so
    that they are run in a fork of it. ``may_share``: nothing in them runs what it is given, so that a program may call
    their functions. ``runs_answers``: they could run what a program answers, which is not to run here.
    """

    FILE_NAME = "<tests>"

    def __init__(self, prompt: str, test: str, entry_point: str, solution: str) -> None:
        self.fault = ""
        self.leaves_traces = False
        self.may_share = False
        self.runs_answers = False
        self._entry_point = entry_point
        prompt = _program_of(prompt, solution)
        self._prompt = _compile(ast.parse(prompt), _PROMPT_NAME) if prompt else None
        try:
            tree = ast.parse(test)
            self._test = _compile(tree, self.FILE_NAME)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            self.fault = f"the problem's tests can't be compiled: {error}"
            return
        if not tree.body:
            self.fault = "the problem has no tests"
            return
        names = _Names(tree)
        of_prompt = ast.parse(prompt)
        own = _Names(of_prompt)
        self.leaves_traces = names.leaves_traces or own.leaves_traces
        self.may_share = not (names.runs_code or own.runs_code)
        uses_prompt = bool(names.loaded & own.bound - {entry_point})
        self.runs_answers = answers_run.could_be_run(tree, *[of_prompt] * uses_prompt)
        self._of_prompt = sorted(names.loaded & own.bound)
        loaded = names.loaded - names.bound
        unknown = loaded - own.bound - vars(builtins).keys()
        self._modules = sorted(unknown & sys.stdlib_module_names)
        self.leaves_traces |= not _TRACELESS_MODULES.issuperset(self._modules)
        self.may_share &= _HARMLESS_MODULES.issuperset(self._modules)
        # A solution may define what a builtin is called (MBPP/126 defines sum): then the tests mean the program's. What
        # the prompt defines is the problem's own, whatever a program makes of it (HumanEval/32, 38, 50), but for what
        # the prompt only begins at its end, such as a class whose methods a program has to write.
        defined = _definitions(_tree_of(solution))
        last = list(_definitions(of_prompt).items())[-1:]
        begun = {name for name, text in last if defined.get(name, text) != text}
        redefined = loaded & ((defined.keys() - own.bound) | begun)
        self._asked = sorted((unknown - sys.stdlib_module_names) | redefined | {entry_point} - {""})

    def run(
        self,
        call: Callable[[str, tuple[Any, ...], dict[str, Any]], Any],
        know: Callable[[dict[str, type], dict[str, object]], None] = lambda *_: None,
    ) -> None:
        """Run the tests; a program that they pass lets them return. ``call`` reaches the program's functions.

        ``know`` is told of the classes of the prompt, and of its objects that the tests look at.
        """
        namespace: dict[str, Any] = {"__name__": _MODULE}
        if self._prompt is not None:
            exec(self._prompt, namespace)  # noqa: S102 - the problem's own helpers
            own = {name: each for name, each in namespace.items() if name not in self._asked}
            classes = {name: each for name, each in own.items() if _is_own_class(each)}
            objects = {name: own[name] for name in self._of_prompt if name in own}
            know(classes, {n: each for n, each in objects.items() if type(each) in (*_CONTAINERS, *classes.values())})
        for name in self._modules:
            namespace[name] = __import__(name)
        for name in self._asked:
            namespace[name] = _stand_in(name, call)
        exec(self._test, namespace)  # noqa: S102 - the problem's own tests
        if self._entry_point:
            namespace["check"](namespace[self._entry_point])


def _is_own_class(value: object) -> bool:
    return isinstance(value, type) and value.__module__ == _MODULE


def _stand_in(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
    def function(*arguments: Any, **named: Any) -> Any:
        return call(name, arguments, named)

    return function


def _compile(tree: ast.Module, name: str) -> CodeType:
    # optimize=0: an assert is a test, whatever the interpreter's flags say.
    code: CodeType = compile(tree, name, "exec", dont_inherit=True, optimize=0)
    return code


def _program_of(prompt: str, solution: str) -> str:
    """A program that defines the prompt's own helpers: the prompt where it is one, else with a body; "" for none."""
    last = prompt.rstrip().rpartition("\n")[2]
    indent = " " * (len(last) - len(last.lstrip()) + 4)
    for text in (prompt, f"{prompt.rstrip()}\n{indent}pass\n", solution):
        with contextlib.suppress(SyntaxError, ValueError, RecursionError, MemoryError):
            ast.parse(text)
            return text
    return ""


def _tree_of(solution: str) -> ast.Module:
    try:
        return ast.parse(solution)
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # a body that continues a prompt
        return ast.Module([], [])


def _definitions(tree: ast.Module) -> dict[str, str]:
    """The functions and classes at the first level, as text by which they can be compared."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return {node.name: ast.dump(node) for node in tree.body if isinstance(node, kinds)}


class _Names:
    """What code loads, and what it binds itself, at any depth.

    ``leaves_traces`` is whether it could change anything but its own names, ``runs_code`` whether it could run code
    that it is given. Both err on the side of yes.
    """

    def __init__(self, tree: ast.Module) -> None:
        self.loaded: set[str] = set()
        self.bound: set[str] = set()
        self.leaves_traces = False
        self.runs_code = False
        for node in ast.walk(tree):
            reader = _READERS.get(type(node))
            if reader is not None:
                reader(self, node)

    def name(self, node: ast.Name) -> None:
        (self.loaded if isinstance(node.ctx, ast.Load) else self.bound).add(node.id)
        self.leaves_traces |= node.id in _LEAVING_TRACES
        self.runs_code |= node.id in _LEAVING_TRACES

    def attribute(self, node: ast.Attribute) -> None:
        self.leaves_traces |= not isinstance(node.ctx, ast.Load) or node.attr.startswith("__")

    def definition(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> None:
        self.bound.add(node.name)

    def argument(self, node: ast.arg) -> None:
        self.bound.add(node.arg)

    def handler(self, node: ast.ExceptHandler) -> None:
        self.bound.add(node.name or "")

    def imported(self, node: ast.Import | ast.ImportFrom) -> None:
        self.bound.update((alias.asname or alias.name).partition(".")[0] for alias in node.names)
        modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
        roots = {module.partition(".")[0] for module in modules}
        self.leaves_traces |= not roots <= _TRACELESS_MODULES
        self.runs_code |= not roots <= _HARMLESS_MODULES


_READERS: dict[type[ast.AST], Callable[[_Names, Any], None]] = {
    ast.Name: _Names.name,
    ast.Attribute: _Names.attribute,
    ast.FunctionDef: _Names.definition,
    ast.AsyncFunctionDef: _Names.definition,
    ast.ClassDef: _Names.definition,
    ast.arg: _Names.argument,
    ast.ExceptHandler: _Names.handler,
    ast.Import: _Names.imported,
    ast.ImportFrom: _Names.imported,
}
