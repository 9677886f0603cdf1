"""What the name of a checkpoint says: its step, and whether it is the best or the last of a series."""

from __future__ import annotations

import re

# In the order of how sure they are: `epoch=3-step=500.ckpt` is step 500.
_STEP_PATTERNS = (
    re.compile(r"step[-_=]?(\d+)", re.IGNORECASE),
    re.compile(r"iter(?:ation)?[-_=]?(\d+)", re.IGNORECASE),
    re.compile(r"(?:checkpoint|ckpt)[-_=]?(\d+)", re.IGNORECASE),
    re.compile(r"epoch[-_=]?(\d+)", re.IGNORECASE),
    # One digit alone is rather a version: `phi-2`.
    re.compile(r"[-_](\d{2,})(?:\.[a-z]\w*)*$", re.IGNORECASE),
)
_BEST = re.compile(r"(?:^|[-_.])best(?:$|[-_.])", re.IGNORECASE)
_LAST = re.compile(r"(?:^|[-_.])(?:final|last|latest)(?:$|[-_.])", re.IGNORECASE)


def step_in_name(name: str) -> int | None:
    """Return the step that a file's or folder's name carries, or None.

    >>> step_in_name("v2_lora_step2000_lora"), step_in_name("model_000500.pt"), step_in_name("ckpt.pt")
    (2000, 500, None)
    """
    for pattern in _STEP_PATTERNS:
        if match := pattern.search(name):
            return int(match.group(1))
    return None


def is_best_name(name: str) -> bool:
    """Whether a name has the word ``best`` in it."""
    return _BEST.search(name) is not None


def is_last_name(name: str) -> bool:
    """Whether a name has the word ``final``, ``last`` or ``latest`` in it."""
    return _LAST.search(name) is not None


def is_step_name(name: str) -> bool:
    """Whether a name is that of one checkpoint of a series: it carries a step, or says best or last."""
    return step_in_name(name) is not None or is_best_name(name) or is_last_name(name)
