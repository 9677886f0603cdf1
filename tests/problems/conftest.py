import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def mbpp_file() -> Path:
    """A local copy of mbpp.jsonl, which is never part of this repository."""
    named = os.environ.get("EVALHARNESS_MBPP")
    path = Path(named) if named else REPOSITORY.parent / "shared" / "data" / "mbpp.jsonl"
    if not path.is_file():
        pytest.skip("needs a local mbpp.jsonl: set EVALHARNESS_MBPP to its path")
    return path
