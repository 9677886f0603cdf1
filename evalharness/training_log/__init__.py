"""The losses that training logged. One reader per file: a new form is a new file, see :class:`Reader`."""

from evalharness.training_log.discovery import find_logs
from evalharness.training_log.merging import merge
from evalharness.training_log.reading import (
    LogFile,
    TrainingLog,
    logged_validation,
    read_folder,
    read_log,
    read_logs,
    readers,
)

__all__ = [
    "LogFile",
    "TrainingLog",
    "find_logs",
    "logged_validation",
    "merge",
    "read_folder",
    "read_log",
    "read_logs",
    "readers",
]
