"""Programs that are nearly a problem's canonical solution: each has one change by which it should be wrong.

The kinds of change are those of mutation testing (DeMillo, Lipton and Sayward 1978, "Hints on Test Data Selection").
A mutant may still be right: its change can lie where it makes no difference.
"""

from __future__ import annotations

import ast
import copy
import random
from collections import defaultdict
from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from evalharness.records import Problem

Kind = Literal["operator", "constant", "off by one", "early return", "dropped branch"]
_Change = tuple[Kind, ast.AST]

_OPERATORS: Mapping[type[ast.AST], tuple[type[ast.AST], ...]] = {
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Add, ast.FloorDiv),
    ast.Div: (ast.Mult, ast.FloorDiv),
    ast.FloorDiv: (ast.Mult, ast.Div),
    ast.Mod: (ast.FloorDiv,),
    ast.Pow: (ast.Mult,),
    ast.BitAnd: (ast.BitOr,),
    ast.BitOr: (ast.BitAnd,),
    ast.BitXor: (ast.BitOr,),
    ast.LShift: (ast.RShift,),
    ast.RShift: (ast.LShift,),
    ast.And: (ast.Or,),
    ast.Or: (ast.And,),
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}
"""What stands in the place of each operator: its opposite, or one that is easily taken for it."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """A whole program with one change: ``kind`` of change, and the ``line`` of the program that has it, from 1."""

    program: str
    kind: Kind
    line: int


def mutants(problem: Problem, *, at_most: int, seed: int) -> tuple[Mutant, ...]:
    """Different mutants of the canonical solution, by turns of each kind, chosen by ``seed`` and the task.

    The prompt is left as it is. None if the solution does not parse as Python.
    """
    source = problem.prompt + problem.canonical_solution
    try:
        original = ast.unparse(ast.parse(source))
        every = {mutant.program: mutant for mutant in _all(source, problem.prompt.count("\n") + 1)}
    except (SyntaxError, ValueError, RecursionError):
        return ()
    every.pop(original, None)
    by_kind = defaultdict[Kind, list[Mutant]](list)
    for mutant in every.values():
        by_kind[mutant.kind].append(mutant)
    order = random.Random(f"{seed} {problem.task_id}")  # noqa: S311 - no secret
    for members in by_kind.values():
        order.shuffle(members)
    by_turns = filter(None, chain.from_iterable(zip_longest(*by_kind.values())))
    return tuple(by_turns)[:at_most]


def _all(source: str, first_line: int) -> Iterator[Mutant]:
    """Yield each mutant whose change is in ``first_line`` or below."""
    tree = ast.parse(source)
    last_return = _last_return(tree)
    for place, node in enumerate(ast.walk(tree)):
        line = getattr(node, "lineno", 0)
        if line >= first_line:
            for kind, new in _changes(node, last_return):
                yield Mutant(ast.unparse(_replaced(source, place, new)), kind, line)


def _last_return(tree: ast.Module) -> ast.Return | None:
    """The statement with which the last function ends, if that returns something."""
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    last = functions[-1].body[-1] if functions else None
    return last if isinstance(last, ast.Return) else None


def _replaced(source: str, place: int, new: ast.AST) -> ast.Module:
    """The program with another node at a place of its ``ast.walk``."""
    tree = ast.parse(source)
    old = next(node for at, node in enumerate(ast.walk(tree)) if at == place)
    for node in ast.walk(tree):
        for name, value in ast.iter_fields(node):
            if value is old:
                setattr(node, name, new)
            elif isinstance(value, list):
                setattr(node, name, [new if item is old else item for item in value])
    return ast.fix_missing_locations(tree)


def _changes(node: ast.AST, last_return: ast.Return | None) -> Iterator[_Change]:
    """Yield what may stand in the place of a node."""
    for kind, change in _CHANGES.get(type(node), ()):
        for new in change(node):
            yield kind, new
    if isinstance(node, (ast.For, ast.While)):
        for end in filter(None, (ast.Break(), last_return)):
            yield "early return", _with(node, body=[*node.body, end])


def _with(node: ast.AST, **fields: object) -> ast.AST:
    new = copy.copy(node)
    for name, value in fields.items():
        setattr(new, name, value)
    return new


def _other_operator(node: ast.AST) -> Iterator[ast.AST]:
    for other in _OPERATORS.get(type(node.op), ()):  # type: ignore[attr-defined]
        yield _with(node, op=other())


def _other_comparison(node: ast.Compare) -> Iterator[ast.AST]:
    for at, operator in enumerate(node.ops):
        for other in _OPERATORS.get(type(operator), ()):
            yield _with(node, ops=[*node.ops[:at], other(), *node.ops[at + 1 :]])


def _without_operator(node: ast.UnaryOp) -> Iterator[ast.AST]:
    if isinstance(node.op, (ast.Not, ast.USub)):
        yield node.operand


def _other_constant(node: ast.Constant) -> Iterator[ast.AST]:
    value = node.value
    if isinstance(value, bool):
        yield ast.Constant(not value)
    elif isinstance(value, (int, float)):
        yield from (ast.Constant(value + 1), ast.Constant(value - 1))
    elif isinstance(value, str):
        yield ast.Constant("" if value else " ")


def _moved(node: ast.expr) -> Iterator[ast.AST]:
    for operator in (ast.Add(), ast.Sub()):
        yield ast.BinOp(node, operator, ast.Constant(1))


def _other_index(node: ast.Subscript) -> Iterator[ast.AST]:
    if not isinstance(node.slice, (ast.Slice, ast.Tuple)) and not isinstance(node.slice, ast.Constant):
        for moved in _moved(node.slice):
            yield _with(node, slice=moved)


def _other_bounds(node: ast.Slice) -> Iterator[ast.AST]:
    for name in ("lower", "upper"):
        bound = getattr(node, name)
        for moved in _moved(bound) if bound is not None and not isinstance(bound, ast.Constant) else ():
            yield _with(node, **{name: moved})


def _other_range(node: ast.Call) -> Iterator[ast.AST]:
    if isinstance(node.func, ast.Name) and node.func.id == "range":
        for at, argument in enumerate(node.args[:2]):
            for moved in _moved(argument) if not isinstance(argument, ast.Constant) else ():
                yield _with(node, args=[*node.args[:at], moved, *node.args[at + 1 :]])


def _one_branch(node: ast.AST) -> Iterator[ast.AST]:
    for always in (True, False):
        yield _with(node, test=ast.Constant(always))


_CHANGES: Mapping[type[ast.AST], tuple[tuple[Kind, Callable[..., Iterator[ast.AST]]], ...]] = {
    ast.BinOp: (("operator", _other_operator),),
    ast.AugAssign: (("operator", _other_operator),),
    ast.BoolOp: (("operator", _other_operator),),
    ast.Compare: (("operator", _other_comparison),),
    ast.UnaryOp: (("operator", _without_operator),),
    ast.Constant: (("constant", _other_constant),),
    ast.Subscript: (("off by one", _other_index),),
    ast.Slice: (("off by one", _other_bounds),),
    ast.Call: (("off by one", _other_range),),
    ast.If: (("dropped branch", _one_branch),),
    ast.IfExp: (("dropped branch", _one_branch),),
}
