"""Data that lies beside the repository and is no part of it: MBPP, and the run that this project began with."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from small_folder import ROOT


def shared(name: str) -> Path | None:
    """``../shared/<name>``, beside the repository or beside the working folder; None if it is at neither place."""
    return next((path for start in (ROOT, Path.cwd()) if (path := start.parent / "shared" / name).exists()), None)


def shared_or_skip(name: str) -> Path:
    """The same; the test is skipped, and says so, if it is at neither place."""
    path = shared(name)
    if path is None:
        pytest.skip(f"needs ../shared/{name}, which lies beside the repository only where it is developed")
    return path


def mbpp_or_skip() -> Path:
    """MBPP's file: the one that ``EVALHARNESS_MBPP`` names, if it is there, else the one beside the repository."""
    named = os.environ.get("EVALHARNESS_MBPP")
    return Path(named) if named and Path(named).is_file() else shared_or_skip("data/mbpp.jsonl")
