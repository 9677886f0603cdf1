"""Whether each worker's programs can have a user of their own: that takes rights that not every root has."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from evalharness.errors import SandboxError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from evalharness.records import IsolationLevel

OF_WHO_RUNS_THE_HARNESS = -1

_FIRST_UID = 0x70000000
_ORDINARY_UIDS = 60_001  # where only the first 65,536 numbers are mapped

# As capabilities(7) numbers them.
_CHOWN, _DAC_OVERRIDE, _FOWNER, _KILL, _SETGID, _SETUID, _SYS_CHROOT, _SYS_ADMIN = 0, 1, 3, 5, 6, 7, 18, 21
_NEEDED: Mapping[str, frozenset[int]] = {
    "A": frozenset({_CHOWN, _KILL, _SETGID, _SETUID, _SYS_ADMIN}),
    "B": frozenset({_CHOWN, _DAC_OVERRIDE, _FOWNER, _KILL, _SETGID, _SETUID, _SYS_CHROOT}),
}


def user_of_programs(level: IsolationLevel, number: int, folder: Path) -> int:
    """The id of the user of one worker's programs, -1 for the one who runs the harness.

    Level A does with that user, as it does if an ordinary user runs the harness: root in a container may lack
    capabilities, or know no user but itself.

    Raises:
        SandboxError: level B, which needs a user of its own, can't have one.
    """
    if level not in _NEEDED:
        return OF_WHO_RUNS_THE_HARNESS
    uid = _own_user(number, folder) if is_root() and _NEEDED[level] <= _capabilities() else OF_WHO_RUNS_THE_HARNESS
    if level == "B" and uid == OF_WHO_RUNS_THE_HARNESS:
        raise SandboxError("root can't be another user here (capabilities, or the user namespace's map)")
    return uid


def is_root() -> bool:
    """Whether this process is root, in a user namespace or out of it."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


def _own_user(number: int, folder: Path) -> int:
    """An id that nobody else has; where ids that high are not mapped (a container), one of the last ordinary ones."""
    offset = (os.getpid() * 64 + number) % 0x0FFF_FFFF
    for uid in (_FIRST_UID + offset, _ORDINARY_UIDS + offset % 1000):
        if _is_mapped(uid, folder):
            return uid
    return OF_WHO_RUNS_THE_HARNESS


def _is_mapped(uid: int, folder: Path) -> bool:
    """Whether a file can be given to this user and its group. Asks the kernel itself: /proc may be hidden."""
    try:
        gift = folder / "gift"
        gift.touch()
        os.chown(gift, uid, uid)
    except OSError:
        return False
    return True


def _capabilities() -> frozenset[int]:
    from evalharness.sandbox.inside import kernel  # noqa: PLC0415 - it loads the C library, which Windows lacks

    return kernel.capabilities()
