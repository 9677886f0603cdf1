"""The losses that training logged. One reader a file; ``READERS`` is where a new form is added."""

from evalharness.training_log.discovery import find_logs
from evalharness.training_log.merging import merge
from evalharness.training_log.reading import (
    READERS,
    LogFile,
    TrainingLog,
    logged_validation,
    read_folder,
    read_log,
    read_logs,
)

__all__ = [
    "READERS",
    "LogFile",
    "TrainingLog",
    "find_logs",
    "logged_validation",
    "merge",
    "read_folder",
    "read_log",
    "read_logs",
]
