"""What the judge may change: a folder for what tests write, and what is kept of canonical solutions.

The tests are the user's own, but what a program answers may name any file to them. So the kernel holds the judge and
all that it starts to these folders, where it has Landlock: tests may read and execute everything, and reach no network.
"""

from __future__ import annotations

import os
import sys

from . import emptying, kernel
from .settings import DEVICES

if sys.platform == "linux":
    from . import landlock


def stay_in(folder: str, kept: str) -> None:
    """Work in ``folder``, and change nothing outside of it but in ``kept``, if there is such a folder."""
    emptying.empty_folder(folder)
    os.chdir(folder)
    if sys.platform != "linux" or landlock.abi() == 0:
        return
    kernel.forbid_new_privileges()
    writable = [path for path in (folder, kept) if os.path.isdir(path)]
    devices = [path for path in DEVICES if os.path.exists(path)]
    ruleset = landlock.Ruleset(readable=(), writable=writable, devices=devices, executable=["/"])
    ruleset.restrict()
    ruleset.close()
