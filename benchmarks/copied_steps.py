"""A run of many scored steps: the records of one step, under as many step numbers."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def copy_steps(scored: Path, run: Path, count: int) -> None:
    """Copy the folder of a scored step into ``run`` so often, as steps 100, 200 and so on."""
    for step in range(100, 100 * count + 1, 100):
        own = run / f"step_{step}"
        shutil.copytree(scored, own, ignore=shutil.ignore_patterns(".journal", ".lock", "figures"))
        card = json.loads((own / "scorecard.json").read_text())
        card["checkpoint"]["step"] = step
        (own / "scorecard.json").write_text(json.dumps(card))
