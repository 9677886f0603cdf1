"""The command ``evalharness`` in a process of its own that has torch imported already.

A server process imports torch once, and each command is a fork of it. Importing torch takes longer than most of the
scores that tests make.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

TIMEOUT_S = 240.0

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["torch", "evalharness.__main__"])


def run_forked(
    arguments: list[str], *, cwd: Path, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run one command as ``python -m evalharness`` does, with its exit code and what it printed.

    Raises ``subprocess.TimeoutExpired`` after ``TIMEOUT_S`` seconds.
    """
    with tempfile.TemporaryDirectory() as folder:
        printed = [str(Path(folder, name)) for name in ("stdout", "stderr")]
        environment = dict(os.environ if env is None else env)
        process = _FORKS.Process(target=_command, args=(arguments, str(cwd), environment, *printed))
        process.start()
        process.join(TIMEOUT_S)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(arguments, TIMEOUT_S)
        out, error = (Path(path).read_text(encoding="utf-8") for path in printed)
        return subprocess.CompletedProcess(arguments, process.exitcode, out, error)


def _command(arguments: list[str], cwd: str, environment: Mapping[str, str], out: str, error: str) -> None:
    """What the fork does: be where, and see what, a new interpreter would."""
    from evalharness.__main__ import main

    for path, descriptor in ((out, 1), (error, 2)):
        opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(opened, descriptor)
        os.close(opened)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd)
    sys.path.insert(0, cwd)
    sys.argv = ["evalharness", *arguments]
    main(arguments)
