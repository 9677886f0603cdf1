"""The root of level B: where nothing can be mounted, what a program may see is copied into a folder to chroot into."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from evalharness.sandbox.inside.settings import DEVICES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from evalharness.sandbox.inside.settings import View

_READY = ".ready"
# Not needed to run anything, and half of the library.
_LEFT_OUT = ("test", "idlelib", "ensurepip", "turtledemo", "tkinter", "lib2to3")


def copied_root(root: Path, view: View) -> Path:
    """The folder ``root``, filled on the first call. Copies are links where the file system allows them.

    A link to a file is as good as a copy: the programs' user may not write any of them.

    Raises:
        OSError: no room, or no rights.
    """
    if (root / _READY).exists():
        return root
    root.mkdir(mode=0o755, exist_ok=True)
    for path in view.folders:
        _copy_folder(Path(path), _inside(root, path), set(view.hidden))
    for path in view.files:
        _copy_file(Path(path), _inside(root, path))
    _make_devices(root)
    (root / _READY).touch()
    return root


def _inside(root: Path, path: str) -> Path:
    """Where ``path`` lies below ``root``, with the folder that holds it made. Links on the way are resolved."""
    place = root / Path(path).parent.as_posix().lstrip("/")
    place.mkdir(parents=True, exist_ok=True)
    for parent in place.relative_to(root).parents:
        (root / parent).chmod(0o755)
    return place / Path(path).name


def _copy_folder(source: Path, target: Path, hidden: set[str]) -> None:
    def left_out(folder: str, names: Iterable[str]) -> set[str]:
        return {name for name in names if name in _LEFT_OUT or f"{folder}/{name}" in hidden}

    try:
        shutil.copytree(source, target, copy_function=_copy_file, ignore=left_out, dirs_exist_ok=True)
    except shutil.Error as error:  # it lists every file
        raise OSError(f"{source} can't be copied: {error.args[0][0][2]}") from error
    for folder, _, _ in os.walk(target):
        Path(folder).chmod(0o755)


def _copy_file(source: Path | str, target: Path | str) -> None:
    real = Path(source).resolve()
    if Path(target).exists():
        return
    try:
        if not real.stat().st_mode & stat.S_IROTH:
            raise PermissionError  # a link has its file's mode, and the programs' user could not read it
        os.link(real, target)
    except OSError:  # another file system
        shutil.copy2(real, target)  # with its time: compiled code counts only beside the source that it is of
        Path(target).chmod(0o644)


def _make_devices(root: Path) -> None:
    """The devices that programs open; empty files where none can be made."""
    (root / "dev").mkdir(exist_ok=True)
    for path in DEVICES:
        target = root / path.lstrip("/")
        try:
            os.mknod(target, stat.S_IFCHR | 0o666, Path(path).stat().st_rdev)
        except OSError:
            target.touch()
            target.chmod(0o444)  # what one program could write, the next could read
        else:
            target.chmod(0o666)
