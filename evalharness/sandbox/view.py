"""What of this machine's files a program may see: an interpreter's library, and the packages that are named."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from evalharness.errors import EvalHarnessError, SandboxError
from evalharness.sandbox.inside.settings import View

_LIBRARIES = Path(__file__).parent / "inside" / "libraries.py"
# These hold other people's packages, and the problem sets' answers with them.
_HIDDEN = ("site-packages", "dist-packages")
_TIME_LIMIT_S = 60


@cache
def view_of(interpreter: str, packages: tuple[str, ...] = ()) -> View:
    """The view that programs run by ``interpreter`` have. ``packages`` are names to import, each seen alone.

    Raises:
        SandboxError: the interpreter does not run.
        EvalHarnessError: a package is not installed here.
    """
    shown = [path for package in packages for path in _paths_of(package)]
    paths = _ask(interpreter, shown)
    folders = _outermost([*paths["data"], *filter(os.path.isdir, paths["search_path"])])
    hidden = tuple(f"{folder}/{name}" for folder in folders for name in _HIDDEN if Path(folder, name).is_dir())
    own_files = [path for path in (*paths["search_path"], *shown) if Path(path).is_file()]
    return View(
        folders=(*folders, *(path for path in shown if Path(path).is_dir())),
        files=tuple(own_files + [path for path in paths["libraries"] if not _lies_in(path, folders)]),
        hidden=hidden,
        search_path=(*paths["search_path"], *dict.fromkeys(os.path.dirname(path) for path in shown)),  # noqa: PTH120
    )


def _ask(interpreter: str, shown: list[str]) -> dict[str, list[str]]:
    command = [interpreter, "-P", "-s", "-S", "-B", str(_LIBRARIES), *shown]
    try:
        done = subprocess.run(command, env={}, capture_output=True, timeout=_TIME_LIMIT_S, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SandboxError(f"{interpreter}: does not run ({error})") from error
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise SandboxError(f"{interpreter}: can't run programs ({said[0] if said else done.returncode})")
    try:
        paths: dict[str, list[str]] = json.loads(done.stdout)
    except ValueError as error:
        raise SandboxError(f"{interpreter}: is no Python that can run programs") from error
    return paths


def _paths_of(package: str) -> list[str]:
    """The folders and files that a package consists of: those of its distribution, or its own folder."""
    spec = importlib.util.find_spec(package) if package.isidentifier() else None
    if spec is None or spec.origin is None:
        raise EvalHarnessError(f"package {package!r} is not installed here: expected the name that import takes")
    home = Path(spec.origin).parent.parent if spec.submodule_search_locations else Path(spec.origin).parent
    own = home / package if spec.submodule_search_locations else Path(spec.origin)
    try:
        files = distribution(package).files or []
    except PackageNotFoundError:
        files = []
    # numpy's shared libraries lie beside its folder, in numpy.libs.
    tops = {home / file.parts[0] for file in files if file.parts[0] not in {"..", "__pycache__"}}
    return sorted(str(path) for path in {own, *tops} if path.exists())


def _outermost(paths: object) -> tuple[str, ...]:
    chosen: list[str] = []
    for path in sorted(map(str, paths)):  # type: ignore[call-overload]
        if not _lies_in(path, tuple(chosen)):
            chosen.append(path)
    return tuple(chosen)


def _lies_in(path: str, folders: tuple[str, ...]) -> bool:
    return any(path == folder or path.startswith(folder + "/") for folder in folders)
