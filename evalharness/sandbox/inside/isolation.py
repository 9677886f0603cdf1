"""Where programs run, by level: what is entered once for each worker, and how it is made new after each program."""

from __future__ import annotations

import contextlib
import os

from . import kernel, root
from .emptying import empty_folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from .settings import Settings

_ALL_NAMESPACES = (
    kernel.CLONE_NEWUSER
    | kernel.CLONE_NEWNS
    | kernel.CLONE_NEWPID
    | kernel.CLONE_NEWNET
    | kernel.CLONE_NEWIPC
    | kernel.CLONE_NEWUTS
)
_TIME_OF_FOLDER_S = 2_145_916_800  # in 2038: reading does not move a time of reading that lies ahead
_WORK_FLAGS = kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC | kernel.MS_NOATIME


class Place:
    """Level D, and what all have: a folder of the machine's own, emptied after each program."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.work = settings.work
        self.renew()  # a worker that was replaced may have left something

    def before_program(self) -> None:
        """What is done before each fork."""

    def enter_as_program(self) -> None:
        """What the process of one program does to become nobody in particular."""
        kernel.die_with_parent()
        kernel.set_dumpable(False)  # a core dump's handler, which some machines have, would not ask for RLIMIT_CORE

    def renew(self) -> bool:
        """Make the folder as it was, where a program has touched it; returns whether it is now another one."""
        os.chmod(self.work, 0o700)
        empty_folder(self.work)
        os.utime(self.work, (_TIME_OF_FOLDER_S, _TIME_OF_FOLDER_S))
        return False

    def over_limit(self) -> bool:
        """Whether the folder holds more than is allowed. Looked at while a program runs: nothing else bounds it."""
        try:
            return self._holds_too_much()
        except OSError:
            # A folder that can't be listed, a path that is too long to be named: what nobody can see is too much.
            return True

    def _holds_too_much(self) -> bool:
        files = size_bytes = 0
        folders = [self.work]  # not os.walk, where each folder in another is a call in another
        while folders:
            for entry in _entries(folders.pop()):
                files += 1
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                else:
                    size_bytes += _size_bytes(entry)
                if files > self.settings.disk_files or size_bytes > self.settings.disk_bytes:
                    return True
        return False


class Bare(Place):
    """Level C: nothing but Landlock and seccomp, so that a program is not to have what root has."""

    def enter_as_program(self) -> None:
        """Give up the capabilities of the user who runs the harness, who may be root."""
        kernel.drop_capabilities()
        super().enter_as_program()


class Chroot(Place):
    """Level B: a copied root, and a user of its own for the programs; this process stays root to clean up."""

    def __init__(self, settings: Settings) -> None:
        os.chroot(settings.root)
        os.chdir("/")
        super().__init__(settings)

    def enter_as_program(self) -> None:
        """Be the programs' own user."""
        become(self.settings.uid)
        super().enter_as_program()


class Namespaces(Place):
    """Level A: this process is the first of its own PID namespace, and the folder is a tmpfs with a limit."""

    def __init__(self, settings: Settings) -> None:
        # Opened while /proc is there; it counts in the namespace of who writes. Not every kernel has it.
        self._last_pid = -1
        with contextlib.suppress(OSError):
            self._last_pid = os.open("/proc/sys/kernel/ns_last_pid", os.O_WRONLY)
        _enter_namespaces(settings)
        self.settings = settings
        self._options = f"mode=700,size={settings.disk_bytes},nr_inodes={settings.disk_files}"
        self.work = settings.work
        self._mount()
        # What mounting needs, and nothing else of what a user namespace's first process may do inside it.
        kernel.keep_only(kernel.CAP_SYS_ADMIN)

    def before_program(self) -> None:
        """Have each program be process 2: the next number would tell how many threads ran before."""
        if self._last_pid >= 0:
            with contextlib.suppress(OSError):
                os.pwrite(self._last_pid, b"1", 0)

    def enter_as_program(self) -> None:
        """Give up what the user namespace gave."""
        kernel.drop_capabilities()
        super().enter_as_program()

    def renew(self) -> bool:
        """Put a fresh tmpfs in the place of one that was touched."""
        if self._traces() == self._clean:
            return False
        kernel.unmount(self.work)
        self._mount()
        return True

    def over_limit(self) -> bool:
        """Never: the kernel keeps the limit."""
        return False

    def _mount(self) -> None:
        kernel.mount("work", self.work, "tmpfs", _WORK_FLAGS, self._options)
        self._clean = self._traces()

    def _traces(self) -> tuple[object, ...]:
        """What differs once anything in the folder was made, changed or removed."""
        status, space = os.stat(self.work), os.statvfs(self.work)
        return status.st_atime_ns, status.st_mtime_ns, status.st_ctime_ns, status.st_mode, space.f_bfree, space.f_ffree


def enter(settings: Settings) -> Place:
    """Enter the level that ``settings`` name.

    Raises:
        OSError: the machine refuses it.
    """
    kinds = {"A": Namespaces, "B": Chroot, "C": Bare, "D": Place}
    return kinds[settings.level](settings)


def become(uid: int) -> None:
    """Be user and group ``uid``, with no other group, from here on.

    Raises:
        OSError: not root, or no such number in this user namespace.
    """
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


def _entries(folder: str) -> Iterator[os.DirEntry[str]]:
    """What is in a folder; nothing if it is gone: a program removes what it made."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        yield from entries


def _size_bytes(entry: os.DirEntry[str]) -> int:
    """What a file takes of the disk; nothing if it is gone."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        return entry.stat(follow_symlinks=False).st_blocks * 512
    return 0


def _enter_namespaces(settings: Settings) -> None:
    """Leave every namespace; returns in a new process, the first of its PID namespace."""
    own_proc = os.open("/proc/self", os.O_RDONLY | os.O_DIRECTORY)
    if settings.uid >= 0:
        # The root is mounted before root is given up: the interpreter may lie where no other user can look.
        kernel.unshare(kernel.CLONE_NEWNS)
        root.build(settings.root, settings.view, settings.work)
        kernel.enter_root(settings.root)
        become(settings.uid)
        kernel.set_dumpable(True)  # without it the maps below belong to root
        _leave_all_namespaces(own_proc)
    else:
        _leave_all_namespaces(own_proc)
        root.build(settings.root, settings.view, settings.work)
        kernel.enter_root(settings.root)
    os.close(own_proc)
    first = os.fork()
    if first:
        _outlive(first)
    kernel.die_with_parent()


def _leave_all_namespaces(own_proc: int) -> None:
    """Each id stands for itself in the new user namespace, and no other exists there (user_namespaces(7))."""
    uid, gid = os.geteuid(), os.getegid()
    kernel.unshare(_ALL_NAMESPACES)
    kernel.name_host("sandbox")  # the new namespace begins with the machine's name
    for name, line in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        file = os.open(name, os.O_WRONLY, dir_fd=own_proc)
        os.write(file, line.encode())
        os.close(file)


def _outlive(first: int) -> None:
    """Stay until the namespace's first process has ended: who is waited for by the harness is this one."""
    _, status = os.waitpid(first, 0)
    os._exit(status >> 8 or status & 0x7F)
