"""How far a download from the hub is, told to a `Watcher` in mebibytes instead of by bars of the hub's client."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evalharness.progress import Watcher

MEBIBYTE = 1 << 20


class Mebibytes:
    """The stage of one download of ``count_bytes``; without bytes there is none.

    A watcher is told of each mebibyte once, whichever of several threads or bars reports it.
    """

    def __init__(self, watcher: Watcher, name: str, count_bytes: int) -> None:
        self._watcher, self._total = watcher, -(-count_bytes // MEBIBYTE)
        self._told = 0
        self._lock = threading.Lock()
        if self._total:
            watcher.stage(f"downloading {name} (MiB)", self._total)

    def reached(self, count_bytes: float) -> None:
        """So many bytes are there by now."""
        self._tell(count_bytes // MEBIBYTE)

    def finished(self) -> None:
        """All of it is there: the last mebibyte is seldom a whole one."""
        self._tell(self._total)

    def bars(self) -> type[Any]:
        """The class of the bars that the hub's client makes of a download; they show nothing themselves.

        It makes several bars of bytes for one download, received and written: the one that is ahead counts.
        """
        from huggingface_hub.utils import tqdm  # noqa: PLC0415 - takes a while to import

        reached = self.reached

        class Reported(tqdm):  # type: ignore[misc]
            def __init__(self, *arguments: Any, **settings: Any) -> None:
                super().__init__(*arguments, **{**settings, "disable": True})
                self._counts_bytes = settings.get("unit") == "B"

            def update(self, n: float | None = 1) -> None:
                self.n += n or 0
                if self._counts_bytes:
                    reached(self.n)

        return Reported

    def _tell(self, mebibytes: float) -> None:
        with self._lock:
            while self._told < min(mebibytes, self._total):
                self._watcher.advance()
                self._told += 1
