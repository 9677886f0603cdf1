"""Sentences that a test compares word for word: they stand in ``tests/golden/<folder>/<test file>.txt``.

``EVALHARNESS_UPDATE_GOLDEN=1 pytest`` writes what the tests say now. Read the difference before you commit it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
GOLDEN = TESTS / "golden"
UPDATE = "EVALHARNESS_UPDATE_GOLDEN"

_NUMBERED = re.compile(r"(<tmp of all>/[^/\s]*?)\d+(?![\w-])")
"""A folder that pytest made. Its number depends on the tests that ran before."""

MEASURED = {r"\d+\.\d+(?:e-\d+)?|\d+e-\d+": "<number>"}
"""For figures that differ between versions of torch, as those of a model with random weights do."""

Said = str | BaseException | pytest.ExceptionInfo[BaseException] | Iterable[str]


def golden_file(test_file: Path) -> Path:
    return GOLDEN / test_file.relative_to(TESTS).with_suffix(".txt")


def read_blocks(file: Path) -> dict[str, str]:
    """The text of each block. A name stands at the left margin, its text is indented."""
    blocks: dict[str, list[str]] = {}
    name = ""
    for line in file.read_text(encoding="utf-8").split("\n") if file.exists() else []:
        if line.startswith("    "):
            blocks[name].append(line[4:])
        elif line:
            name = line
            blocks[name] = []
    return {name: "\n".join(lines) for name, lines in blocks.items()}


def write_blocks(file: Path, blocks: Mapping[str, str]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    text = "\n\n".join(f"{name}\n{_indented(block)}" for name, block in sorted(blocks.items(), key=_order))
    file.write_text(text + "\n", encoding="utf-8")


def _indented(text: str) -> str:
    return "\n".join("    " + line for line in text.split("\n"))


def _order(item: tuple[str, str]) -> tuple[str, int]:
    name, _, index = item[0].rpartition(" #")
    return name, int(index)


@dataclass
class GoldenText:
    """Compares a text with the block of this test: the first with ``name #1``, the next with ``name #2``."""

    file: Path
    test: str
    folders: Mapping[str, str]
    """What a machine calls its folders, and the names that stand in the golden files for them."""
    used: int = field(default=0, init=False)

    def __call__(self, said: Said, replacing: Mapping[str, str] | None = None) -> None:
        """``replacing`` gives names to what differs between two runs: ``{regular expression: name}``."""
        self.used += 1
        text, name = self._normalised(_text(said), replacing or {}), f"{self.test} #{self.used}"
        if os.environ.get(UPDATE):
            self._write(name, text)
        blocks = read_blocks(self.file)
        if name not in blocks:
            pytest.fail(f"{self.file} has no block {name!r}; write it with {UPDATE}=1. The text is:\n{text}")
        assert text == blocks[name], f"{name}: if the new text is right, write it with {UPDATE}=1"

    def _normalised(self, text: str, replacing: Mapping[str, str]) -> str:
        for folder, name in self.folders.items():
            text = re.sub(re.escape(folder) + r"(?![\w-])", lambda _, name=name: name, text)
        text = _NUMBERED.sub(r"\1", text)
        for pattern, name in replacing.items():
            text = re.sub(pattern, name, text)
        return "\n".join(line.rstrip() for line in text.splitlines())

    def _write(self, name: str, text: str) -> None:
        """Write this block, and leave out the later ones of this test, which it writes again if it still has them."""
        if "PYTEST_XDIST_WORKER" in os.environ:
            pytest.fail(f"{UPDATE}=1 writes with one process only: leave out -n")
        kept = {other: block for other, block in read_blocks(self.file).items() if not self._is_later(other)}
        write_blocks(self.file, kept | {name: text})

    def _is_later(self, other: str) -> bool:
        name, _, index = other.rpartition(" #")
        return name == self.test and int(index) > self.used


def _text(said: Said) -> str:
    if isinstance(said, pytest.ExceptionInfo):
        said = said.value
    if isinstance(said, BaseException):
        return f"{type(said).__name__}: {said}"
    return said if isinstance(said, str) else "\n".join(said)


def lines_with(words: str, text: str) -> str:
    """The lines that have these words in them, out of an output of which most is progress."""
    lines = [line for line in text.splitlines() if words in line]
    assert lines, f"no line with {words!r} in:\n{text}"
    return "\n".join(lines)


def folders_of(tmp_path: Path | None, base: Path) -> dict[str, str]:
    """What stands for the folders of this machine, the deepest first."""
    named = {} if tmp_path is None else {tmp_path.resolve(): "<tmp>", tmp_path: "<tmp>"}
    named |= {base.resolve(): "<tmp of all>", base: "<tmp of all>", TESTS.parent: "<repo>"}
    return {str(folder): name for folder, name in named.items()}
