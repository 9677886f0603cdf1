"""The losses that training logged. One reader per file: a new form is a new file, see :class:`Reader`."""

from evalharness.training_log.discovery import find_logs
from evalharness.training_log.log_keys import LogKeys
from evalharness.training_log.merging import merge
from evalharness.training_log.reading import (
    LogFile,
    TrainingLog,
    UnderstoodColumn,
    logged_validation,
    read_folder,
    read_found,
    read_log,
    read_logs,
    read_named,
    readers,
)
from evalharness.training_log.several_runs import event_runs

__all__ = [
    "LogFile",
    "LogKeys",
    "TrainingLog",
    "UnderstoodColumn",
    "event_runs",
    "find_logs",
    "logged_validation",
    "merge",
    "read_folder",
    "read_found",
    "read_log",
    "read_logs",
    "read_named",
    "readers",
]
