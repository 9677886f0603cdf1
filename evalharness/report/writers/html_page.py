"""A page that holds everything it needs, and can be opened from a file.

It loads nothing. Its content security policy allows one script and one style sheet, ours, by their digests, so that
nothing that a model wrote could run or load anything even if it were not escaped.
"""

from __future__ import annotations

import base64
import functools
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalharness.report.writers.html_parts import Anchor

_PAGE = Path(__file__).parent / "page"


def page_html(title: str, body: Markup, contents: Sequence[Anchor] = ()) -> str:
    """Return a whole page around ``body``, with links to the headings in ``contents``."""
    style, script = _content("style.css"), _content("script.js")
    return (
        environment()
        .get_template("page.html")
        .render(
            title=title,
            policy=policy(style, script),
            style=Markup(style),  # noqa: S704 - our own files
            script=Markup(script),  # noqa: S704
            contents=contents,
            body=body,
        )
    )


def policy(style: str, script: str) -> str:
    """Return the content security policy under which only this style sheet and this script count."""
    return (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )


@functools.cache
def environment() -> Environment:
    """Return the templates; whatever a value holds is escaped."""
    return Environment(
        loader=FileSystemLoader(_PAGE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )


@functools.cache
def _content(name: str) -> str:
    return (_PAGE / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
