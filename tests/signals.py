"""Starting a process as a user's shell does: it gets the signals that whoever started the tests may ignore."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Sequence
from typing import Any


def started(command: Sequence[object], **options: Any) -> subprocess.Popen[Any]:
    """Start a command for which Ctrl-C and a kill mean what they usually do.

    ``nohup`` and the background jobs of scripts ignore SIGINT or SIGHUP, and children inherit that.
    """
    return subprocess.Popen(list(map(str, command)), preexec_fn=_defaults, **options)  # noqa: PLW1509 - no threads


def _defaults() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
