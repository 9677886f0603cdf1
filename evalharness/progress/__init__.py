"""How far a long piece of work is: whoever shows it is a `Watcher`."""

from evalharness.progress.plain_lines import Lines
from evalharness.progress.time_left import TimeLeft, duration, rate
from evalharness.progress.watcher import SayingOnce, Silent, Watcher

__all__ = ["Lines", "SayingOnce", "Silent", "TimeLeft", "Watcher", "duration", "rate"]
