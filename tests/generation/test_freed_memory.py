"""Memory that was freed is given back, though what lies between is still in use."""

from __future__ import annotations

import ctypes

import psutil
import pytest
import torch

from evalharness.generation.freed_memory import give_back_freed_memory

BLOCKS, NUMBERS = 2000, 20_000
"""160 MB in blocks that are too small to be mapped one by one."""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="not glibc")
def test_holes_between_tensors_that_are_in_use_are_given_back() -> None:
    blocks = [torch.ones(NUMBERS) for _ in range(BLOCKS)]
    kept = blocks[::10]
    del blocks
    before = psutil.Process().memory_info().rss
    give_back_freed_memory()
    given_back = before - psutil.Process().memory_info().rss
    assert len(kept) == BLOCKS // 10
    assert given_back > BLOCKS * NUMBERS * 4 / 2
