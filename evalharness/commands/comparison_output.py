"""What ``evalharness compare`` prints: Markdown, or JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from evalharness.report import comparison_record, render_comparison
from evalharness.runs.json_values import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalharness.pipeline import Compared


def as_markdown(found: Sequence[Compared]) -> str:
    """All comparisons, one after the other."""
    return "\n".join(
        render_comparison((c.first.name, c.second.name), (c.first.card, c.second.card), c.measures, c.notes)
        for c in found
    )


def as_json_text(found: Sequence[Compared]) -> str:
    """A list with one object a comparison."""
    rows = [
        comparison_record((c.first.name, c.second.name), (c.first.card, c.second.card), c.measures, c.notes)
        for c in found
    ]
    return json.dumps(plain(rows), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
