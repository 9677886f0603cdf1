"""A drawing in fewer bytes: what a browser shows of it is the same, to a hundredth of a point."""

from __future__ import annotations

import re

_INDENT = re.compile(rb"\n\s+(?=<)")
_BREAK_IN_PATH = re.compile(rb" \n(?=[MLQCz])")
_PLACES = re.compile(rb'translate\([^)]*\)|\b(?:d|x|y)="[^"]*"')
_LONG_NUMBER = re.compile(rb"-?\d+\.\d{3,}")


def compact(svg: bytes) -> bytes:
    """Return matplotlib's drawing without its indentation, and with places to a hundredth of a point.

    Scales and styles keep their digits.
    """
    without_breaks = _BREAK_IN_PATH.sub(b"", _INDENT.sub(b"\n", svg))
    return _PLACES.sub(lambda places: _LONG_NUMBER.sub(_shortened, places[0]), without_breaks)


def _shortened(number: re.Match[bytes]) -> bytes:
    return f"{float(number[0]):.2f}".rstrip("0").rstrip(".").encode()
