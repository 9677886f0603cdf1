"""Scoring checkpoints in a process of its own while training goes on."""

from __future__ import annotations

import atexit
import contextlib
import os
import subprocess
import sys
import tempfile
import time
import warnings
import weakref
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Unpack

from evalharness.errors import EvalHarnessError, StoreError
from evalharness.runs import scorecard_json
from evalharness.settings.declaration import settings_of
from evalharness.settings.old_names import renamed
from evalharness.settings.score import ScoreOptions, ScoreSettings
from evalharness.settings.values import PYTHON, as_text, read

if TYPE_CHECKING:
    from pathlib import Path

    from evalharness.records import Scorecard

NICENESS = 10
"""Of the scoring process. Of a core that training keeps busy it gets a tenth; with 19 it would get a seventieth, and
seldom end before the training does."""
SCORING_CHILD = "evalharness.integrations.scoring_child"
END_S = 30.0
"""Within this a score that is no longer waited for has to end by itself."""


@dataclass(slots=True)
class _Running:
    path: str
    process: subprocess.Popen[bytes]
    output: IO[bytes]
    errors: IO[bytes]


class Beside:
    """Scores every ``every``-th checkpoint that is handed to it, one at a time, in a process of low priority.

    ``settings`` are those of :func:`evalharness.score` (``problems``, ``samples``, ``limit``, ``out``, …); ``device``
    is the CPU by default, because training uses the accelerator. A score that is running is not interrupted by another
    checkpoint. Of the checkpoints that wait, only the newest is scored; ``evalharness run`` on their folder scores
    the others and makes the run's report. Warns of a checkpoint that can't be scored, and at the end of the script of
    those that were not scored yet: call :meth:`wait` to score them. The process ends with the script.
    """

    def __init__(self, *, every: int = 1, **settings: Unpack[ScoreSettings]) -> None:
        if every < 1:
            raise EvalHarnessError(f"every = {every}: expected 1 or more")
        self._every = every
        settings.setdefault("device", "cpu")
        self._arguments = _arguments(settings)
        self._seen = 0
        self._waiting: str | None = None
        self._running: _Running | None = None
        self.faults: list[str] = []
        """One line for each checkpoint that could not be scored; each is warned of, too."""
        atexit.register(_say_what_is_left, weakref.ref(self))

    def saved(self, path: str | Path) -> list[Scorecard]:
        """Take note of a checkpoint that was written whole, and return the scorecards that are finished by now."""
        self._seen += 1
        if self._seen % self._every == 0:
            self._waiting = os.fspath(path)
        return self.finished()

    def finished(self) -> list[Scorecard]:
        """Return the scorecards that are finished by now, without waiting; each is returned once."""
        scorecards = []
        if self._running is not None and self._running.process.poll() is not None:
            scorecards += self._read()
        if self._running is None and self._waiting is not None:
            self._start(self._waiting)
            self._waiting = None
        return scorecards

    def wait(self, timeout_s: float | None = None) -> list[Scorecard]:
        """Wait for all that is running or waits, for ``timeout_s`` at most, and return its scorecards.

        What is not scored by then is in :meth:`left`, and goes on until the script ends or :meth:`stop` is called.
        """
        until = None if timeout_s is None else time.monotonic() + timeout_s
        scorecards = self.finished()
        with contextlib.suppress(subprocess.TimeoutExpired):
            while self._running is not None:
                self._running.process.wait(None if until is None else max(0.0, until - time.monotonic()))
                scorecards += self.finished()
        return scorecards

    def stop(self) -> list[str]:
        """End the score that is running, and return the paths of what is not scored. A later score goes on from it."""
        left = self.left()
        running, self._running, self._waiting = self._running, None, None
        if running is not None:
            _end(running.process)
            running.output.close()
            running.errors.close()
        return left

    def _start(self, path: str) -> None:
        output, errors = (tempfile.TemporaryFile() for _ in range(2))  # noqa: SIM115 - closed when it is read
        child = [sys.executable, "-m", SCORING_CHILD, str(os.getpid()), str(NICENESS)]
        command = [*child, "score", path, "--json", *self._arguments]
        process = subprocess.Popen(command, stdout=output, stderr=errors)  # noqa: S603 - our own command
        self._running = _Running(path, process, output, errors)

    def _read(self) -> list[Scorecard]:
        running, self._running = self._running, None
        if running is None:
            return []
        texts = []
        for file in (running.output, running.errors):
            file.seek(0)
            texts.append(file.read().decode("utf-8", "replace"))
            file.close()
        try:
            return [scorecard_json.from_json(texts[0])]
        except StoreError:
            last = (texts[1].strip().splitlines() or ["it printed nothing"])[-1]
            fault = f"{running.path}: not scored (exit code {running.process.returncode}): {last}"
            self.faults.append(fault)
            warnings.warn(fault, stacklevel=2)
            return []

    def left(self) -> list[str]:
        """The paths of the checkpoints that are being scored, or wait for it."""
        return [*([self._running.path] if self._running else []), *([self._waiting] if self._waiting else [])]


def _say_what_is_left(beside: weakref.ref[Beside]) -> None:
    """A training script may end before the scores do: nobody would ever see them."""
    alive = beside()
    if alive is not None and (left := alive.stop()):
        print(  # noqa: T201 - the interpreter ends: there is nobody else to tell
            f"evalharness: {', '.join(left)} had not been scored when the script ended: call wait() at its end, or "
            "run evalharness run on the folder",
            file=sys.stderr,
        )


def _end(process: subprocess.Popen[bytes]) -> None:
    """End it, and give it the time to tidy up."""
    process.terminate()
    try:
        process.wait(END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _arguments(settings: ScoreSettings) -> list[str]:
    """Settings of the library as options of the command. Raises SettingError for one that is wrong, before training."""
    known, arguments = settings_of(ScoreOptions), []
    for name, value in read(ScoreOptions, renamed(settings), PYTHON).items():
        if known[name].is_flag:
            arguments.append(known[name].option if value else known[name].off_option)
        else:
            arguments += [known[name].option, as_text(value)]
    return arguments
