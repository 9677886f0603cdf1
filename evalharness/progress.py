"""How far a long piece of work is: whoever shows it is a `Watcher`."""

from __future__ import annotations

from typing import Protocol


class Watcher(Protocol):
    """Whoever wants to know how far a long piece of work is."""

    def say(self, line: str) -> None:
        """One line about what was found or chosen."""
        ...

    def stage(self, name: str, total: int) -> None:
        """A stage of ``total`` pieces begins; the one before it is over."""
        ...

    def advance(self) -> None:
        """One piece of the stage is done."""
        ...


class Silent:
    """A `Watcher` that ignores everything."""

    def say(self, line: str) -> None:
        """Ignore it."""

    def stage(self, name: str, total: int) -> None:
        """Ignore it."""

    def advance(self) -> None:
        """Ignore it."""
