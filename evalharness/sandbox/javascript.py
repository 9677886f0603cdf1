"""The interpreter that runs JavaScript: where it is, and what a program must see of this machine to be run by it."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache

from evalharness.errors import SandboxError
from evalharness.sandbox.inside import javascript_session

NAME = "javascript"
_LOADED = re.compile(r"(/\S+) \(0x")
_MIB = 20
_SHARE_OF_HEAP = 2


@dataclass(frozen=True, slots=True)
class Interpreter:
    """Node.js. ``files`` are those that it loads, ``executable`` those of them that starting it executes."""

    path: str
    files: tuple[str, ...]
    executable: tuple[str, ...]

    def command(self, memory_bytes: int) -> tuple[str, ...]:
        """What a program's process becomes, with half of its memory for values."""
        heap = f"--max-old-space-size={memory_bytes // _SHARE_OF_HEAP >> _MIB}"
        return (self.path, heap, "-e", javascript_session.source("program"))


@cache
def interpreter() -> Interpreter:
    """Node.js as it is installed here.

    Raises:
        SandboxError: it is not, or does not run.
    """
    path = shutil.which("node")
    if path is None:
        raise SandboxError(
            "node is not installed here: it runs the problems in JavaScript. Install Node.js 18 or newer"
        )
    try:
        # The loader of shared libraries says what it would load, and where it is itself.
        traced = {"LD_TRACE_LOADED_OBJECTS": "1"}
        said = subprocess.run([path], env=traced, capture_output=True, text=True, timeout=60, check=True).stdout  # noqa: S603
    except (OSError, subprocess.SubprocessError) as error:
        raise SandboxError(f"{path} does not run: {error}") from error
    files = tuple(_LOADED.findall(said))
    loaders = tuple(file for file in files if "/ld-" in file)
    return Interpreter(path, (path, *files), (path, *loaders))
