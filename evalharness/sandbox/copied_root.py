"""The root of level B: where nothing can be mounted, what a program may see is copied into a folder to chroot into."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from evalharness.sandbox.inside.settings import DEVICES

if TYPE_CHECKING:
    from collections.abc import Callable

    from evalharness.sandbox.inside.settings import View

COPY = "copy"
"""What the folder of the copies is called."""

_READY = ".ready"
# Not needed to run anything, and two thirds of the library and of the time zones.
_LEFT_OUT = shutil.ignore_patterns(
    *("test", "idlelib", "ensurepip", "turtledemo", "tkinter", "lib2to3", "config-*", "*.opt-?.pyc", "posix", "right")
)
# A time of reading that lies ahead is moved by no reading, unless the file system is mounted with strictatime: what one
# program has read, the next one can't see.
_NEVER_READ_NS = 2_145_916_800 * 10**9  # in 2038


def copied_root(copy: Path, root: Path, view: View) -> Path:
    """The folder ``root``, filled on its first call with links to what lies in ``copy``, which is filled on the first.

    Raises:
        OSError: no room, or no rights.
    """
    _once(copy, lambda: _copy(copy, view))
    _once(root, lambda: _link(copy, root))
    return root


def reading_shows(copy: Path) -> bool:
    """Whether reading a file of a filled ``copy`` changes its times, so that others can see it."""
    file = next((path for path in copy.rglob("*.py") if path.stat().st_size), None)
    if file is None:
        return False
    before = file.stat().st_atime_ns
    file.read_bytes()
    return file.stat().st_atime_ns != before


def _once(folder: Path, fill: Callable[[], None]) -> None:
    ready = folder.with_name(folder.name + _READY)
    if not ready.exists():
        folder.mkdir(mode=0o755, exist_ok=True)
        fill()
        ready.touch()


def _copy(root: Path, view: View) -> None:
    for path in view.folders:
        _copy_folder(Path(path), _inside(root, path), set(view.hidden))
    for path in view.files:
        _copy_file(Path(path), _inside(root, path))


def _link(copy: Path, root: Path) -> None:
    shutil.copytree(copy, root, copy_function=os.link, dirs_exist_ok=True)
    _make_devices(root)
    for folder, _, _ in os.walk(root, topdown=False):
        Path(folder).chmod(0o755)
        os.utime(folder, ns=(_NEVER_READ_NS, Path(folder).stat().st_mtime_ns))


def _inside(root: Path, path: str) -> Path:
    """Where ``path`` lies below ``root``, with the folder that holds it made."""
    place = root / Path(path).parent.as_posix().lstrip("/")
    place.mkdir(parents=True, exist_ok=True)
    return place / Path(path).name


def _copy_folder(source: Path, target: Path, hidden: set[str]) -> None:
    def left_out(folder: str, names: list[str]) -> set[str]:
        return _LEFT_OUT(folder, names) | {name for name in names if f"{folder}/{name}" in hidden}

    try:
        shutil.copytree(source, target, copy_function=_copy_file, ignore=left_out, dirs_exist_ok=True)
    except shutil.Error as error:  # it lists every file
        raise OSError(f"{source} can't be copied: {error.args[0][0][2]}") from error


def _copy_file(source: Path | str, target: Path | str) -> None:
    """Never a link: it would have the times of the machine's own file."""
    real = Path(source).resolve()
    if Path(target).exists():
        return
    shutil.copyfile(real, target)
    Path(target).chmod(0o755 if real.stat().st_mode & stat.S_IXUSR else 0o644)
    # Compiled code counts only beside a source of the time that it is of.
    os.utime(target, ns=(_NEVER_READ_NS, real.stat().st_mtime_ns))


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
