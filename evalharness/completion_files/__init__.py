"""Completions that any tool wrote. One reader per file: a new form is a new file, see :class:`Reader`.

A file is recognised by its content, never by its name alone. Each line of a JSONL file is read by what it has, so one
file may hold lines of different tools.
"""

from evalharness.completion_files.entry import CompletionFile, Entry, FileCompletion, Memory, Reader
from evalharness.completion_files.reading import Completions, completion_files, read_completions, readers

__all__ = [
    "CompletionFile",
    "Completions",
    "Entry",
    "FileCompletion",
    "Memory",
    "Reader",
    "completion_files",
    "read_completions",
    "readers",
]
