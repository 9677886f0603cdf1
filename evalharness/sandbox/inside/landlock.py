"""Which files a program may open, by Landlock (landlock(7)): all that is not named is refused with EACCES.

Landlock never looks at stat, access, chdir or readlink, nor at chmod, chown and utime, and at truncation only from
version 3 on: the last four are for seccomp to refuse.
"""

from __future__ import annotations

import ctypes
import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

# The same numbers on every architecture.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_CREATE_RULESET_VERSION = 1
_RULE_PATH_BENEATH = 1
_RESTRICT_SELF_LOG_SAME_EXEC_OFF = 1

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR, _REMOVE_DIR, _REMOVE_FILE = (1 << bit for bit in range(6))
_MAKE_DIR, _MAKE_REG, _REFER, _TRUNCATE, _IOCTL_DEV = 1 << 7, 1 << 8, 1 << 13, 1 << 14, 1 << 15
_OF_A_FILE = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE

# Only an interpreter of another language gets a right to execute: the mapping of an extension module needs none.
_READABLE = _READ_FILE | _READ_DIR
_WRITABLE = _READABLE | _WRITE_FILE | _REMOVE_DIR | _REMOVE_FILE | _MAKE_DIR | _MAKE_REG | _REFER | _TRUNCATE
_DEVICE = _READ_FILE | _WRITE_FILE

_FIRST_FILE_RIGHTS = (1 << 13) - 1
_TCP_RIGHTS = 1 << 0 | 1 << 1  # bind, connect
_SCOPES = 1 << 0 | 1 << 1  # abstract unix sockets, signals


class _RulesetAttributes(ctypes.Structure):
    """struct landlock_ruleset_attr; an older kernel takes this one too where what it does not know is 0."""

    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _PathBeneath(ctypes.Structure):
    """struct landlock_path_beneath_attr."""

    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


_syscall = ctypes.CDLL(None, use_errno=True).syscall
_syscall.restype = ctypes.c_long
_syscall.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_long)


def abi() -> int:
    """The version of Landlock that the kernel has; 0 where there is none, or where it is turned off or refused."""
    version: int = _syscall(_CREATE_RULESET, 0, None, _CREATE_RULESET_VERSION, 0)
    return max(version, 0)


class Ruleset:
    """The rules for programs, made ready so that ``restrict`` is one system call.

    ``readable`` are files, and folders with all beneath them; of ``listable`` folders, and all beneath them, only the
    names; ``executable`` are files; ``writable`` folders can be filled and emptied with files and folders, and with
    nothing else; ``devices`` are read and written. Everything that the kernel's version of Landlock knows is refused
    elsewhere: also TCP from 4 on, device ioctls from 5 on, other programs' abstract unix sockets and signals from 6 on.
    Before 2, a file can't be moved from one folder to another.

    A rule holds for the file or folder that is there now, not for its path: what is mounted on it later has none.

    Raises:
        OSError: there is no Landlock, or no such path; it names the path.
    """

    def __init__(
        self,
        readable: Iterable[str],
        writable: Iterable[str],
        devices: Iterable[str] = (),
        listable: Iterable[str] = (),
        executable: Iterable[str] = (),
    ) -> None:
        version = abi()
        self._handled = _file_rights(version)
        # Version 7 writes each refusal to the system's audit log, which is not for programs to fill.
        self._flags = _RESTRICT_SELF_LOG_SAME_EXEC_OFF if version >= 7 else 0
        self.fd = _create(self._handled, version)
        try:
            for paths, rights in (
                (readable, _READABLE),
                (listable, _READ_DIR),
                (writable, _WRITABLE),
                (devices, _DEVICE),
                (executable, _READABLE | _EXECUTE),
            ):
                for path in paths:
                    self._allow(path, rights)
        except OSError:
            self.close()
            raise

    def restrict(self) -> None:
        """Lay the rules on this thread and all that it starts, for good.

        Raises:
            OSError: the thread could still gain privileges (PR_SET_NO_NEW_PRIVS), or sixteen rulesets lie on it.
        """
        if _syscall(_RESTRICT_SELF, self.fd, self._flags, None, 0):
            raise _error("landlock_restrict_self")

    def close(self) -> None:
        """Let go of the descriptor; what is restricted stays so."""
        os.close(self.fd)

    def _allow(self, path: str, rights: int) -> None:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            if not stat.S_ISDIR(os.fstat(fd).st_mode):
                rights &= _OF_A_FILE
            rule = _PathBeneath(rights & self._handled, fd)
            if _syscall(_ADD_RULE, self.fd, _RULE_PATH_BENEATH, ctypes.addressof(rule), 0):
                raise _error("landlock_add_rule", path)
        finally:
            os.close(fd)


def library_rules(folders: Sequence[str], hidden: Sequence[str]) -> tuple[list[str], list[str]]:
    """What of the ``folders`` is readable and what is listable, so that nothing in the ``hidden`` ones can be read.

    Landlock can't take back beneath a folder what it gave. So a folder with a hidden one in it (site-packages lies in
    the library outside a virtual environment) gets a rule for each entry instead; the folder itself is listable, for
    that is how importlib finds modules. The names of what is hidden are thereby seen, its contents are not.
    """
    readable: list[str] = []
    listable: list[str] = []
    for folder in folders:
        if not any(_beneath(path, folder) for path in hidden):
            readable.append(folder)
            continue
        listable.append(folder)
        inner_readable, inner_listable = library_rules(list(_shown(folder, hidden)), hidden)
        readable += inner_readable
        listable += inner_listable
    return readable, listable


def _shown(folder: str, hidden: Sequence[str]) -> Iterator[str]:
    """The entries that are neither hidden nor lead elsewhere: a rule follows links, which may go to what is hidden."""
    real = [os.path.realpath(path) for path in hidden]
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.is_symlink():
            target = os.path.realpath(entry.path)
            if os.path.isfile(target) and not any(_beneath(target, path) for path in real):
                yield entry.path
        elif entry.path not in hidden:
            yield entry.path


def _beneath(path: str, folder: str) -> bool:
    return path.startswith(folder.rstrip("/") + "/")


def _file_rights(version: int) -> int:
    rights = _FIRST_FILE_RIGHTS
    for first_version, right in ((2, _REFER), (3, _TRUNCATE), (5, _IOCTL_DEV)):
        rights |= right if version >= first_version else 0
    return rights


def _create(files: int, version: int) -> int:
    attributes = _RulesetAttributes(files, _TCP_RIGHTS if version >= 4 else 0, _SCOPES if version >= 6 else 0)
    fd: int = _syscall(_CREATE_RULESET, ctypes.addressof(attributes), ctypes.sizeof(attributes), None, 0)
    if fd < 0:
        raise _error("landlock_create_ruleset")
    return fd


def _error(call: str, path: str | None = None) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, f"{call}: {os.strerror(number)}", path)
