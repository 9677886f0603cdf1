"""Sentences for people are compared in ``tests/golden/``; decisions are asserted on fields."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TypeGuard

import pytest
from golden_text import GOLDEN, TESTS, UPDATE, GoldenText, golden_file, read_blocks

FEW = 145
"""Assertions that hold a literal of two words or more: code, data, figures, and what another library says."""


def golden(folder: Path, test: str = "test_it") -> GoldenText:
    return GoldenText(folder / "golden.txt", test, {str(folder): "<tmp>"})


def test_a_text_is_compared_word_for_word_with_its_own_block(tmp_path, monkeypatch):
    monkeypatch.setenv(UPDATE, "1")
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    write = golden(tmp_path)
    write(f"{tmp_path}/a.jsonl: line 1\n\n    indented")
    write(ValueError("2 is too many"))
    monkeypatch.delenv(UPDATE)
    read = golden(tmp_path)
    read(f"{tmp_path}/a.jsonl: line 1\n\n    indented")
    with pytest.raises(AssertionError):
        read(ValueError("3 are too many"))
    with pytest.raises(pytest.fail.Exception, match=UPDATE):
        golden(tmp_path, "test_another")("a text")


def test_an_update_leaves_out_what_the_test_no_longer_says_and_keeps_other_tests(tmp_path, monkeypatch):
    monkeypatch.setenv(UPDATE, "1")
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    golden(tmp_path, "test_other")("kept")
    write = golden(tmp_path)
    for text in ("one", "two", "three"):
        write(text)
    golden(tmp_path)("only")
    blocks = read_blocks(tmp_path / "golden.txt")
    assert blocks == {"test_it #1": "only", "test_other #1": "kept"}


def test_what_differs_between_two_runs_has_a_name(tmp_path, monkeypatch):
    monkeypatch.setenv(UPDATE, "1")
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    golden(tmp_path)("took 1.25 s", {r"[\d.]+ s": "<duration>"})
    assert read_blocks(tmp_path / "golden.txt") == {"test_it #1": "took <duration>"}


TEST_FILES = sorted(TESTS.rglob("test_*.py"))


@pytest.mark.parametrize("file", TEST_FILES, ids=lambda file: str(file.relative_to(TESTS)))
def test_the_blocks_are_those_of_the_tests_that_compare_them(file: Path):
    """Those of a test that is skipped here are written by hand. If a test is no longer there, remove its blocks."""
    functions = [node for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))) if _compares_text(node)]
    written = {re.split(r"\[| #", name)[0] for name in read_blocks(golden_file(file))}
    assert {function.name for function in functions} == written


def test_every_golden_file_is_of_a_test_file():
    assert {*GOLDEN.rglob("*.txt")} <= {golden_file(file) for file in TEST_FILES}


def _compares_text(node: ast.AST) -> TypeGuard[ast.FunctionDef]:
    if not isinstance(node, ast.FunctionDef) or not node.name.startswith("test_"):
        return False
    return "golden_text" in [argument.arg for argument in node.args.args]


def test_prose_is_compared_in_golden_files():
    """If there is more: ``golden_text(text)`` for a sentence, an assertion on a field for a decision."""
    found = [place for file in sorted(TESTS.rglob("*.py")) for place in prose_in(file)]
    assert len(found) < FEW, "\n".join(found)


def prose_in(file: Path) -> Iterator[str]:
    """Where a literal of two words or more is matched: by ``in``, ``==``, ``startswith`` or ``match=``."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if (isinstance(node, ast.Assert) and any(map(_compares_prose, ast.walk(node.test)))) or _expects_prose(node):
            yield f"{file.relative_to(TESTS)}:{node.lineno}"


def _compares_prose(node: ast.AST) -> bool:
    match node:
        case ast.Compare(left=left, ops=[ast.In(), *_]):
            return _is_prose(left)
        case ast.Compare(left=left, ops=[ast.Eq(), *_], comparators=others):
            return any(map(_is_prose, [left, *others]))
        case ast.Call(func=ast.Attribute(attr="startswith"), args=[first, *_]):
            return _is_prose(first)
    return False


def _expects_prose(node: ast.AST) -> bool:
    match node:
        case ast.Call(func=ast.Attribute(attr="raises" | "warns"), keywords=keywords):
            return any(keyword.arg == "match" and _is_prose(keyword.value) for keyword in keywords)
    return False


def _is_prose(node: ast.expr) -> bool:
    if isinstance(node, ast.JoinedStr):
        text = "".join(str(part.value) if isinstance(part, ast.Constant) else "x" for part in node.values)
        return len(text.split()) > 1
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value.split()) > 1
