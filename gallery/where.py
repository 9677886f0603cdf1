"""Where a case is written, and the settings that make it quick on one core."""

from __future__ import annotations

import sys
from pathlib import Path

import torch


def folder_given(program: str) -> Path:
    """The folder that the command line names, else ``made`` beside the program; made here, for it must be empty."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else Path(program).with_name("made")).resolve()
    if folder.exists() and any(folder.iterdir()):
        raise SystemExit(f"{folder}: is not empty; name an empty folder, or remove it")
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    return folder
