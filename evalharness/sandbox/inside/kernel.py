"""The system calls that Python has no name for, by ctypes. Each raises OSError with the call's name."""

from __future__ import annotations

import ctypes
import os
import sys

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY = 1
MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_REMOUNT = 32
MS_NOATIME = 1024
MS_BIND = 4096
MS_REC = 16384
MS_PRIVATE = 1 << 18
_MNT_DETACH = 2

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_CAPBSET_DROP = 24
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4
_CAPABILITY_VERSION_3 = 0x20080522
_MOST_CAPABILITIES = 64
CAP_SYS_ADMIN = 21

_SIGKILL = 9
_F_SETFL, _F_SETOWN, _F_SETSIG = 4, 8, 10
_O_ASYNC = 0o20000

# What only Linux has is left undone elsewhere, where nothing but level D is to be had.
_IS_LINUX = sys.platform == "linux"

_libc = ctypes.CDLL(None, use_errno=True)


def _call(name: str, *arguments: object) -> int:
    result: int = getattr(_libc, name)(*arguments)
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return result


def unshare(flags: int) -> None:
    """Leave the namespaces that ``flags`` name, for new ones (unshare(2))."""
    _call("unshare", flags)


def name_host(name: str) -> None:
    """What uname tells of the machine (sethostname(2), setdomainname(2))."""
    _call("sethostname", name.encode(), len(name))
    _call("setdomainname", name.encode(), len(name))


def mount(source: str, target: str, kind: str | None, flags: int, options: str = "") -> None:
    """Mount ``source`` on ``target`` (mount(2))."""
    kind_bytes = kind.encode() if kind else None
    _call(
        "mount",
        os.fsencode(source),
        os.fsencode(target),
        kind_bytes,
        ctypes.c_ulong(flags),
        options.encode() if options else None,
    )


def unmount(target: str) -> None:
    """Take away what is mounted on ``target`` at once, even where it is in use (umount2(2), MNT_DETACH)."""
    _call("umount2", os.fsencode(target), _MNT_DETACH)


def enter_root(folder: str) -> None:
    """Make the mount at ``folder`` the root and let go of the old one (pivot_root(2), "pivot_root(".", ".")")."""
    os.chdir(folder)
    _call("pivot_root", b".", b".")
    unmount(".")
    os.chdir("/")


def die_with_parent() -> None:
    """Have the kernel kill this process when the thread that made it ends; a change of credentials forgets it."""
    if not _IS_LINUX:
        return
    _call("prctl", _PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0)


def die_with_writer(pipe: int) -> None:
    """Have the kernel kill this process when the last writer of ``pipe`` is gone (fcntl(2), F_SETOWN and F_SETSIG).

    It is for a parent with threads: PR_SET_PDEATHSIG follows the one that started this process. Each process needs a
    pipe of its own, for the kernel keeps whom to signal with the open pipe. The descriptor is to stay open.
    """
    if not _IS_LINUX:
        return
    _call("fcntl", pipe, _F_SETOWN, os.getpid())
    _call("fcntl", pipe, _F_SETSIG, _SIGKILL)
    _call("fcntl", pipe, _F_SETFL, os.O_NONBLOCK | _O_ASYNC)


def set_dumpable(dumpable: bool) -> None:
    """Whether others of the same user may look into this process, and whether a crash is written out."""
    _call("prctl", _PR_SET_DUMPABLE, int(dumpable), 0, 0, 0)


def forbid_new_privileges() -> None:
    """No program that is executed from here on gains anything; what Landlock and seccomp ask for first."""
    if not _IS_LINUX:
        return
    _call("prctl", _PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def keep_only(*capabilities: int) -> None:
    """Give up all capabilities but these, and for good: the bounding and the ambient set are emptied too."""
    for capability in range(_MOST_CAPABILITIES):
        # EINVAL past the last that the kernel knows, EPERM where there are none to drop.
        _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
    _libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    _set_capabilities(sum(1 << capability for capability in capabilities))


def capabilities() -> frozenset[int]:
    """The capabilities that this process has, by their numbers; none where there is no such thing."""
    if not _IS_LINUX:
        return frozenset()
    data = (ctypes.c_uint32 * 6)()
    _call("capget", _CAPABILITY_HEADER, data)
    effective = data[0] | data[3] << 32
    return frozenset(number for number in range(_MOST_CAPABILITIES) if effective >> number & 1)


_NO_CAPABILITIES = (ctypes.c_uint32 * 6)()
_CAPABILITY_HEADER = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)


def drop_capabilities() -> None:
    """Give up all capabilities. One call, for it is made in every program's process."""
    _call("capset", _CAPABILITY_HEADER, _NO_CAPABILITIES)


def _set_capabilities(mask: int) -> None:
    low, high = mask & 0xFFFFFFFF, mask >> 32
    # effective, permitted, inheritable: first the low words of each, then the high ones (capset(2)).
    data = (ctypes.c_uint32 * 6)(low, low, 0, high, high, 0)
    _call("capset", _CAPABILITY_HEADER, data)
