"""The only files that a program of level A sees: the interpreter's library, mounted read-only in a root of its own."""

from __future__ import annotations

import os

from . import kernel
from .settings import DEVICES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .settings import View

_LOADER_CACHE = "/etc/ld.so.cache"
_ROOT_OPTIONS = "mode=755,size=1m,nr_inodes=4096"
_COVER_OPTIONS = "mode=755,size=64k,nr_inodes=256"
# statvfs tells these flags of a mount by the numbers that mount(2) takes. In a user namespace they can't be dropped.
_KEPT_FLAGS = kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC


def build(folder: str, view: View, work: str) -> None:
    """Mount the root at ``folder``, with an empty folder ``work`` in it. The caller has a mount namespace of its own.

    Raises:
        OSError: a mount was refused.
    """
    kernel.mount("none", "/", None, kernel.MS_REC | kernel.MS_PRIVATE)
    kernel.mount("root", folder, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, _ROOT_OPTIONS)
    _copy_links(folder)
    seen = [path for path in view.folders if not _lies_in(path, view.hidden)]
    unhidden = [path for path in view.folders if _lies_in(path, view.hidden)]
    for path in seen:
        _show_folder(folder, path)
    for path in view.hidden:
        if os.path.isdir(folder + path):
            kernel.mount("hidden", folder + path, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, _COVER_OPTIONS)
    for path in unhidden:
        _show_folder(folder, path)
    for path in (*view.files, *DEVICES, _LOADER_CACHE):
        if os.path.exists(path):
            _show_file(folder, path)
    for path in view.hidden:
        if os.path.isdir(folder + path):
            _make_read_only(folder + path)
    os.makedirs(folder + work, exist_ok=True)
    _make_read_only(folder)


def _lies_in(path: str, folders: tuple[str, ...]) -> bool:
    return any(path.startswith(folder + "/") for folder in folders)


def _copy_links(folder: str) -> None:
    """``/lib -> usr/lib`` and its like: libraries are looked up by the old names."""
    for name in os.listdir("/"):
        if os.path.islink("/" + name) and os.path.isdir("/" + name):
            target = os.path.join("/", os.readlink("/" + name)).lstrip("/")
            os.makedirs(f"{folder}/{target}", exist_ok=True)
            os.symlink(target, f"{folder}/{name}")


def _show_folder(folder: str, path: str) -> None:
    os.makedirs(folder + path, exist_ok=True)
    kernel.mount(path, folder + path, None, kernel.MS_BIND | kernel.MS_REC)
    _make_read_only(folder + path)


def _show_file(folder: str, path: str) -> None:
    target = folder + path
    if os.path.exists(target):  # it lies in a folder that is shown whole
        return
    os.makedirs(os.path.dirname(target), exist_ok=True)
    os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o644))
    kernel.mount(path, target, None, kernel.MS_BIND)
    _make_read_only(target)


def _make_read_only(target: str) -> None:
    # Devices work on a read-only mount too: what is written goes to the driver.
    kept = os.statvfs(target).f_flag & _KEPT_FLAGS
    flags = kernel.MS_REMOUNT | kernel.MS_BIND | kernel.MS_RDONLY | kernel.MS_NOSUID | kept
    kernel.mount("none", target, None, flags)
