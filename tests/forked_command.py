"""The command ``evalharness``, and pytest, each in a process of its own that has everything imported already.

A server process imports torch and the whole package once, and each command is a fork of it. Importing them takes longer
than most of the scores that tests make. What is read from the environment while a package is imported, as the hub's
client does with HF_*, is that of the tests: a command that needs another is started with its own interpreter.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

TIMEOUT_S = 240.0

LEFT_OUT = ("evalharness.sandbox.inside.", "evalharness.integrations.")
"""Programs, which run when they are imported; and what needs a trainer."""


def modules_of(package: str) -> Iterator[str]:
    """The dotted names of all modules of a package that lies in a folder."""
    spec = find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    folder = Path(spec.origin).parent
    for path in sorted(folder.rglob("*.py")):
        name = ".".join((package, *path.relative_to(folder).with_suffix("").parts)).removesuffix(".__init__")
        if not name.startswith(LEFT_OUT):
            yield name


_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["torch", "transformers", "pytest", *modules_of("evalharness")])


def run_forked(
    arguments: list[str], *, cwd: Path, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run one command as ``python -m evalharness`` does, with its exit code and what it printed.

    Raises ``subprocess.TimeoutExpired`` after ``TIMEOUT_S`` seconds.
    """
    return _run(_evalharness, arguments, cwd, os.environ if env is None else env)


def start_forked(arguments: list[str], *, cwd: Path) -> BaseProcess:
    """Start one command, to be killed; nobody sees what it prints."""
    return _started(_evalharness, arguments, cwd, os.environ, (os.devnull, os.devnull, os.devnull))


def run_pytest(arguments: list[str], *, cwd: Path, env: Mapping[str, str]) -> pytest.RunResult:
    """Run a session as ``python -m pytest`` does, as ``Pytester.runpytest_subprocess`` gives it."""
    begun = time.monotonic()
    done = _run(_pytest, arguments, cwd, env)
    return pytest.RunResult(
        done.returncode, done.stdout.splitlines(), done.stderr.splitlines(), time.monotonic() - begun
    )


def start_pytest(arguments: list[str], *, cwd: Path, env: Mapping[str, str], terminal: str) -> BaseProcess:
    """Start a session whose streams are the terminal of this name."""
    return _started(_pytest, arguments, cwd, env, (terminal, terminal, terminal))


def _run(
    program: Callable[[list[str]], None], arguments: list[str], cwd: Path, env: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    with tempfile.TemporaryDirectory() as folder:
        printed = [str(Path(folder, name)) for name in ("stdout", "stderr")]
        process = _started(program, arguments, cwd, env, (os.devnull, *printed))
        process.join(TIMEOUT_S)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(arguments, TIMEOUT_S)
        out, error = (Path(path).read_text(encoding="utf-8") for path in printed)
        return subprocess.CompletedProcess(arguments, process.exitcode, out, error)


def _started(
    program: Callable[[list[str]], None],
    arguments: list[str],
    cwd: Path,
    env: Mapping[str, str],
    streams: tuple[str, str, str],
) -> BaseProcess:
    process = _FORKS.Process(target=_forked, args=(program, arguments, str(cwd), dict(env), streams))
    process.start()
    return process


def _forked(
    program: Callable[[list[str]], None],
    arguments: list[str],
    cwd: str,
    environment: Mapping[str, str],
    streams: tuple[str, str, str],
) -> None:
    """What the fork does: be where, and see what, a new interpreter would."""
    for descriptor, path in enumerate(streams):
        opened = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOCTTY)
        os.dup2(opened, descriptor)
        os.close(opened)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd)
    sys.path[:0] = [cwd, *filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))]
    program(arguments)


def _evalharness(arguments: list[str]) -> None:
    from evalharness.__main__ import main

    sys.argv = ["evalharness", *arguments]
    main(arguments)


def _pytest(arguments: list[str]) -> None:
    sys.argv = ["pytest", *arguments]
    sys.exit(pytest.main(arguments))
