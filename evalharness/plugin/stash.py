"""What the plugin keeps with pytest's configuration and with its tests, and how a failed check is reported."""

from __future__ import annotations

import pytest

RUNNING: pytest.StashKey[pytest.Item] = pytest.StashKey()
"""The test that is running, kept with the configuration."""
CARDS: pytest.StashKey[dict[str, str]] = pytest.StashKey()
"""The cards of the checkpoints that a test scored, by the path of the report, kept with the test."""
SHOWN: pytest.StashKey[dict[str, str]] = pytest.StashKey()
"""By report, the id of the test that shows its card."""
SUMMARY = "evalharness_summary"
"""The property of a test that is its line in the summary."""
WRITTEN = "evalharness_baseline_written"
"""The property of a test that wrote a new baseline."""


class CheckFailed(pytest.fail.Exception):  # type: ignore[misc, name-defined] # pytest gives the class by its function
    """Checks that failed. Its text is for the failure; ``line`` is for places that have room for one line."""

    def __init__(self, line: str, text: str) -> None:
        super().__init__(text, pytrace=False)
        self.line = line


def shown_once(config: pytest.Config, report: str, text: str) -> str:
    """The card of a scored checkpoint, or where an earlier test shows it."""
    running = config.stash[RUNNING].nodeid
    first = config.stash.setdefault(SHOWN, {}).setdefault(report, running)
    return text if first == running else f"its card: see {first} above; report: {report}"
