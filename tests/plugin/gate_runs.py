"""The types of the fixtures that run the gate."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

Gate = Callable[..., subprocess.CompletedProcess[str]]
InProcess = Callable[..., tuple[int, str, str]]
"""Exit code, stdout and stderr."""
