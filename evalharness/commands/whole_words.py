"""Lines for people, which a terminal would break in the middle of a word."""

from __future__ import annotations

import re
import shutil
import sys
import textwrap

import click

_LABEL = re.compile(r" *\S+(?: \S+)* {2,}(?=\S)")
"""A label and the blanks between it and its text, below which the rest of the text begins."""
_DEEPER = 2
"""How many blanks the rest of a line without a label is indented by, besides those that the line has."""


def echo(text: str, *, err: bool = False) -> None:
    """Print ``text`` on stdout, or on stderr; on a terminal its lines are wrapped between words."""
    stream = sys.stderr if err else sys.stdout
    if stream.isatty():
        columns = shutil.get_terminal_size().columns
        text = "\n".join(wrapped(line, columns) for line in text.split("\n"))
    click.echo(text, err=err)


def wrapped(line: str, columns: int) -> str:
    """``line`` over as many lines as it needs. A word that is longer, such as a path, stays whole."""
    if len(line) <= columns:
        return line
    label = _LABEL.match(line)
    own = len(line) - len(line.lstrip()) + _DEEPER
    indent = own if label is None or label.end() > columns // 2 else label.end()
    return "\n".join(
        textwrap.wrap(line, columns, subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False)
    )
