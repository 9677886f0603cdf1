"""Prints, as JSON, where an interpreter finds its library, and every shared library that its extension modules load.

It also prints the folders of data that both read: time zones and the locale of programs. A program's root holds these
and nothing else. It is run by the interpreter in question, once.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import sys
import sysconfig

# What pthread_exit loads by itself, late.
_LOADED_LATE = ("libgcc_s.so.1",)
# They bring half a desktop with them, and no screen is to be had.
_LEFT_OUT = ("_tkinter",)
_LOCALES = ("/usr/lib/locale/C.utf8", "/usr/lib/locale/C.UTF-8")
_OTHERS = ("site-packages", "dist-packages", "__pycache__")


class _Info(ctypes.Structure):
    """The beginning of dl_phdr_info (dl_iterate_phdr(3))."""

    _fields_ = (("address", ctypes.c_void_p), ("name", ctypes.c_char_p))


def main(packages: list[str]) -> None:
    """Load every extension module of the library and of ``packages`` (folders or files) and print what that took."""
    search_path = [path for path in sys.path if os.path.exists(path)]
    for path in (*_LOADED_LATE, *_extensions([*search_path, *packages])):
        with contextlib.suppress(OSError):
            ctypes.CDLL(path)
    data = [path for path in (*_time_zones(), *_LOCALES) if os.path.isdir(path)]
    sys.stdout.write(json.dumps({"search_path": search_path, "libraries": sorted(_loaded()), "data": data}))


def _time_zones() -> tuple[str, ...]:
    """The first folder of those in which zoneinfo looks: the others mostly lead there."""
    return tuple(path for path in sysconfig.get_config_var("TZPATH").split(os.pathsep) if os.path.isdir(path))[:1]


def _extensions(folders: list[str]) -> list[str]:
    files = []
    for folder in folders:
        for place, inner, names in os.walk(folder):
            inner[:] = [name for name in inner if name not in _OTHERS]
            files += [f"{place}/{name}" for name in names if ".so" in name and not name.startswith(_LEFT_OUT)]
    return files


def _loaded() -> set[str]:
    libraries: set[str] = set()

    def note(info: ctypes._Pointer[_Info], _size: int, _data: int | None) -> int:
        name = os.fsdecode(info.contents.name or b"")
        if os.path.isabs(name):
            libraries.add(name)
        return 0

    kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(_Info), ctypes.c_size_t, ctypes.c_void_p)
    ctypes.CDLL(None).dl_iterate_phdr(kind(note), None)
    return libraries


if __name__ == "__main__":
    main(sys.argv[1:])
