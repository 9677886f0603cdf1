"""What ``diagnose``, ``preflight`` and ``triage`` print: a label, and the text beside it, wrapped for a terminal."""

from __future__ import annotations

import shutil
import textwrap

LABEL_WIDTH = 16
NARROWEST, WIDEST = 54, 100
"""Lines are wrapped to at least and at most this many columns, label included."""


def labelled(label: str, text: str) -> list[str]:
    """The lines of ``text``, with ``label`` before the first. White space in it is one blank."""
    columns = shutil.get_terminal_size((WIDEST, 24)).columns
    room = max(NARROWEST, min(WIDEST, columns)) - LABEL_WIDTH
    first, *others = textwrap.wrap(" ".join(text.split()), room, break_on_hyphens=False) or [""]
    return [label.ljust(LABEL_WIDTH) + first, *(" " * LABEL_WIDTH + line for line in others)]
