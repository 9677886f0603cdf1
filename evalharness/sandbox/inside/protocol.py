"""The words that the interpreters of one worker exchange."""

from __future__ import annotations

# From the judge to the zygote, in orders of one size: RUN is followed by the limit of CPU time in seconds, and comes
# with a descriptor, the program's end of its channel; EXECUTE is RUN for a program of another language, whose process
# becomes the interpreter of that; KILL ends it, and after GONE it is let die of what ended it, for
# it has closed its channel; ALLOW is followed by the seconds of CPU time that it may use from now on, within its limit.
# Back come reports of one size, filled up with spaces.
RUN, EXECUTE, KILL, GONE, ALLOW = b"run ", b"execute ", b"kill", b"gone", b"allow"
ORDER_BYTES, REPORT_BYTES = 32, 256
# The zygote's first report, to say that the level was entered; otherwise it is FAILED and why. FAILED, too, is what it
# says of a program that could not be started.
ENTERED, FAILED = b"entered", b"failed "

# What judge and program say to each other is a token, a byte that says what it is, and the content. Each message of the
# judge's has a new token, with which the program's answer must begin: nothing can be answered before it is asked.
# From the judge to a program: the code to run, or its source where the code is not worth a crash of the judge; a call;
# and many calls of one function.
# KNOW has the names of the problem's own classes, and those of its objects with their numbers; it comes before SHARED,
# which both sides send, see peer.
CODE, SOURCE, CALL, ASK, KNOW, SHARED = b"c", b"s", b"?", b"a", b"k", b"h"
# From a program: set up and nothing read yet, which alone has no token; run; what a call returned, with the arguments
# where it changed them; what can't be sent; some of what many calls returned; what it raised, and the same where it is
# that the sandbox refuses something, or that there is no thread to be had.
READY, DONE, VALUE, CHANGED, UNSENDABLE, ANSWERS = b"R", b"D", b"V", b"W", b"U", b"A"
RAISED, REFUSED, NO_THREAD = RAISINGS = b"X", b"N", b"T"
TRUE, FALSE = b"1", b"0"
"""After UNSENDABLE: whether the value is true."""
TOKEN_BYTES = 16

PROGRAM_NAME = "<program>"
LONGEST_MESSAGE = 300
MOST_NAMES = 20
# How a program's process exits where there was no memory left to say so.
NO_MEMORY_STATUS = 86


def order(content: bytes) -> bytes:
    """An order to the zygote, in its size."""
    return content.ljust(ORDER_BYTES)


def report(content: bytes) -> bytes:
    """A report of the zygote's, in its size."""
    return content[:REPORT_BYTES].ljust(REPORT_BYTES)
