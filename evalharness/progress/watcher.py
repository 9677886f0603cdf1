"""How far a long piece of work is: whoever shows it is a `Watcher`."""

from __future__ import annotations

from typing import Protocol


class Watcher(Protocol):
    """Whoever wants to know how far a long piece of work is."""

    def say(self, line: str) -> None:
        """One line about what was found or chosen."""
        ...

    def item(self, name: str, number: int, total: int) -> None:
        """The ``number``-th of ``total`` things of one kind begins, such as steps of a run; its stages follow."""
        ...

    def stage(self, name: str, total: int) -> None:
        """A stage of ``total`` pieces begins; the one before it is over. One piece: nobody knows how far it is."""
        ...

    def advance(self) -> None:
        """One piece of the stage is done."""
        ...


class Silent:
    """A `Watcher` that ignores everything."""

    def say(self, line: str) -> None:
        """Ignore it."""

    def item(self, name: str, number: int, total: int) -> None:
        """Ignore it."""

    def stage(self, name: str, total: int) -> None:
        """Ignore it."""

    def advance(self) -> None:
        """Ignore it."""


class SayingOnce:
    """Hands everything on to another `Watcher`, but a line that was said before only once: for many like things."""

    def __init__(self, watcher: Watcher) -> None:
        self._said: set[str] = set()
        self._watcher = watcher
        self.item, self.stage, self.advance = watcher.item, watcher.stage, watcher.advance

    def say(self, line: str) -> None:
        """Hand it on unless it was said."""
        if line not in self._said:
            self._said.add(line)
            self._watcher.say(line)
