"""What a program's exception is told as: its type with its bases, its message, and the program's line."""

from __future__ import annotations

import errno

from . import protocol

NO_THREAD_ERRNO = errno.EAGAIN
"""The number that ``stand_ins.number_refused_threads`` gives Python's error, which has none."""
_REFUSALS = frozenset({errno.EPERM, errno.EACCES, errno.EROFS, errno.ENOSYS})


def told(error: BaseException) -> tuple[list[str], str, int]:
    """The names of the exception's type and its bases, its message, and the line.

    The program's own ``__str__`` may run here.
    """
    names = [kind.__name__ for kind in type(error).__mro__ if isinstance(kind.__name__, str)]
    try:
        text = error.msg if isinstance(error, SyntaxError) else str(error)
        message = str.__getitem__(text, slice(protocol.LONGEST_MESSAGE))
    except BaseException:  # noqa: BLE001 - an exception that can't be printed is still that exception
        message = ""
    return names[:1] + names[1:][1 - protocol.MOST_NAMES :], message, _line_of(error)


def tag_of(error: BaseException) -> bytes:
    """What it is told under: one of ``protocol.RAISINGS``."""
    try:
        number = getattr(error, "errno", None)
        refused = isinstance(error, OSError) and number in _REFUSALS
        no_thread = isinstance(error, RuntimeError) and number == NO_THREAD_ERRNO
    except BaseException:  # noqa: BLE001 - it is of a class of the program's own
        return protocol.RAISED
    return protocol.REFUSED if refused else protocol.NO_THREAD if no_thread else protocol.RAISED


def _line_of(error: BaseException) -> int:
    """The line of the program that was running last, 0 if none was."""
    line = last_line(error, protocol.PROGRAM_NAME)
    if not line and isinstance(error, SyntaxError) and error.filename == protocol.PROGRAM_NAME:
        return error.lineno or 0
    return line


def last_line(error: BaseException, file_name: str) -> int:
    """The line of ``file_name`` that was running last when ``error`` was raised, 0 if none was."""
    line, entry = 0, error.__traceback__
    while entry is not None:
        if entry.tb_frame.f_code.co_filename == file_name:
            line = entry.tb_lineno
        entry = entry.tb_next
    return line
