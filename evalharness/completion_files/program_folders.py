"""EvalPlus's folders: ``HumanEval_0/0.py``, a folder for each task with a whole program in each file, also as a tar.

Facts of ``evalplus/data/utils.py`` 0.3.1: the folder's name is the task's, with ``_`` for ``/``.
"""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from evalharness.completion_files.entry import FileCompletion, ProgramFolders

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalharness.completion_files.entry import Entry, Memory


FORM = "EvalPlus folder"
PRIORITY = 22
_PROGRAM = re.compile(r"(?P<task>.+)_(?P<task_number>\d{1,18})/(?P<number>\d{1,18})\.py")


def recognises(content: Any) -> bool:
    """Folders of programs."""
    return isinstance(content, ProgramFolders)


def read(entry: Entry, memory: Memory) -> Iterator[FileCompletion]:  # noqa: ARG001 - every reader takes a memory
    """Yield the programs, by task and number."""
    named = [(task_and_number(name), text) for name, text in entry.content.programs.items()]
    ordered = sorted((place, text) for place, text in named if place is not None)
    for line, ((task, task_number, number), text) in enumerate(ordered, 1):
        yield FileCompletion(f"{task}/{task_number}", text, line, completion_id=number, holds_prompt=True)


def task_and_number(name: str) -> tuple[str, int, int] | None:
    """The task's name and number and the program's, from the end of a path; None for any other file."""
    found = _PROGRAM.fullmatch("/".join(PurePath(name).parts[-2:]))
    return None if found is None else (found["task"], int(found["task_number"]), int(found["number"]))
