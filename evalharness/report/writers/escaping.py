"""Whatever a model, a file or a user wrote, made safe to stand in Markdown and on a terminal.

Nothing that comes from outside may end a code block, add a cell to a table, become HTML, or move a terminal's cursor.
"""

from __future__ import annotations

import re

_BACKTICKS = re.compile("`+")
_INLINE_MARKUP = re.compile(r"[\\`<&~$]|\](?=[(\[:])|(?<!\s)\*|\*(?!\s)|(?<![^\W_])_|_(?![^\W_])")
_BLOCK_MARKUP = re.compile(r"^(\d*)([>\[]|[-+#=](?=[-+#=\s]|$)|[.)](?=\s|$))")
MIN_FENCE = 3
MAX_PADDED = 72


def visible(text: str) -> str:
    r"""Return ``text`` with all that can't be seen, but line ends, tabs and spaces, as Python escapes (``\x1b``).

    Control characters, marks of direction, spaces of other kinds and lone surrogates are escaped.
    """
    return "".join(char if char.isprintable() or char in "\n\t" else _escape(char) for char in text)


def one_line(text: str) -> str:
    """Return ``text`` with everything that can't be seen escaped, line ends and tabs too."""
    return "".join(char if char.isprintable() else _escape(char) for char in text)


def prose(text: str) -> str:
    """Return ``text`` as Markdown that shows just it, on one line, as a part of a paragraph."""
    escaped = _INLINE_MARKUP.sub(r"\\\g<0>", one_line(" ".join(text.split())))
    return _BLOCK_MARKUP.sub(r"\1\\\2", escaped)


def code(text: str) -> str:
    r"""Return ``text`` as inline code on one line, its line ends as ``\n``."""
    shown = one_line(text) or " "
    ticks = "`" * (_longest_run(shown) + 1)
    pad = " " if shown.strip() and (shown[0] in "` " or shown[-1] in "` ") else ""
    return f"{ticks}{pad}{shown}{pad}{ticks}"


def code_cell(text: str) -> str:
    r"""Return ``text`` as inline code for a table; as prose where it has ``\|``, which no code in a table can hold."""
    return prose(text) if "\\|" in text else code(text)


def fenced(text: str, language: str = "text") -> str:
    """Return ``text`` as a fenced code block with a fence that is longer than any run of backticks in it."""
    shown = visible(text).removesuffix("\n")
    fence = "`" * max(MIN_FENCE, _longest_run(shown) + 1)
    return f"{fence}{language}\n{shown}\n{fence}"


def shortened(text: str, characters: int) -> str:
    """Return ``text``, or its beginning with an ellipsis where it is longer than ``characters``."""
    return text if len(text) <= characters else f"{text[: characters - 1]}…"


def table(header: list[str], rows: list[list[str]], right: frozenset[int] = frozenset()) -> str:
    """Return a table of cells that are Markdown already; the columns in ``right`` are aligned to the right.

    The cells are padded, so that the table reads as one in a terminal too; a long one does not widen all others.
    """
    cells = [[_cell(cell) for cell in row] for row in [header, *rows]]
    widths = [max(3, *(len(cell) for cell in column if len(cell) <= MAX_PADDED)) for column in zip(*cells, strict=True)]
    rule = ["-" * (width - 1) + (":" if i in right else "-") for i, width in enumerate(widths)]
    return "\n".join(_table_row(row, widths, right) for row in [cells[0], rule, *cells[1:]])


def _table_row(cells: list[str], widths: list[int], right: frozenset[int]) -> str:
    padded = (
        cell.rjust(width) if i in right else cell.ljust(width)
        for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return f"| {' | '.join(padded)} |"


def _cell(markdown: str) -> str:
    r"""One cell. Renderers part on what ``\|`` is after a backslash, so there the entity stands for it."""
    return markdown.replace("\\|", "\\&#124;").replace("|", "\\|")


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")


def _longest_run(text: str) -> int:
    return max((len(run) for run in _BACKTICKS.findall(text)), default=0)
