"""The process that scores beside training: ``python -m evalharness.integrations.scoring_child PARENT NICENESS …``.

It runs ``evalharness`` with the other arguments, and ends when its parent does, however that ended: also by a kill that
leaves the parent no time to say so.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading
import time

POLL_S = 1.0
GRACE_S = 30.0
"""Within this it tidies up once its parent is gone: what it made is kept for the next score."""


def main() -> None:
    """Lower the priority, watch the parent, and run the command."""
    parent, niceness, *arguments = sys.argv[1:]
    os.nice(int(niceness))
    threading.Thread(target=_end_with, args=(int(parent),), daemon=True).start()
    sys.argv = ["evalharness", *arguments]
    runpy.run_module("evalharness", run_name="__main__")


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(POLL_S)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_S)
    os._exit(128 + signal.SIGTERM)


if __name__ == "__main__":
    main()
