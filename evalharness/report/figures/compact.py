"""A drawing in fewer bytes: what a browser shows of it is the same, to a hundredth of a point."""

from __future__ import annotations

import re

_INDENT = re.compile(rb"\n\s*(?=<)")
_BREAK_IN_PATH = re.compile(rb" \n(?=[MLQCz])")
_NAME_OF_GROUP = re.compile(rb'(?<=<g) id="[^"]*"')
"""Nothing refers to a group; what is referred to are paths, patterns and clips."""
_LETTER, _SHORT_LETTER = re.compile(rb'(?<=[#"])DejaVuSans-'), b"s"
_PLACES = re.compile(rb'translate\([^)]*\)|\b(?:d|x|y)="[^"]*"')
_LONG_NUMBER = re.compile(rb"-?\d+\.\d{3,}")


def compact(svg: bytes) -> bytes:
    """Return matplotlib's drawing without indentation and groups' names, with places to a hundredth of a point.

    Scales and styles keep their digits. The names of the font's letters are short.
    """
    svg = _INDENT.sub(b"", svg)
    svg = _NAME_OF_GROUP.sub(b"", _BREAK_IN_PATH.sub(b"", svg))
    svg = _LETTER.sub(_SHORT_LETTER, svg)
    return _PLACES.sub(lambda places: _LONG_NUMBER.sub(_shortened, places[0]), svg)


def _shortened(number: re.Match[bytes]) -> bytes:
    return f"{float(number[0]):.2f}".rstrip("0").rstrip(".").encode()
