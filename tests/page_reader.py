"""A page as a browser without scripts would read it: its elements, and what is text in them."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

_ADDRESS = re.compile(r"""\s(?:src|href|action|data|poster)=["'](?!#)[^"']*|url\(["']?(?!#)[^)]*|@import""")
VOID = {"meta", "link", "br", "hr", "img", "input"}


@dataclass
class Element:
    tag: str
    attributes: dict[str, str]
    text: str = ""
    inner: list[Element] = field(default_factory=list)


class Page(HTMLParser):
    """The elements of a page in their order; ``text`` of an element has that of the elements in it."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[Element] = []
        self._open: list[Element] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.elements.append(element)
        if self._open:
            self._open[-1].inner.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self._open.pop()

    def handle_endtag(self, tag):
        while self._open and self._open.pop().tag != tag:
            pass

    def handle_data(self, data):
        for element in self._open:
            element.text += data

    def of(self, tag: str) -> list[Element]:
        return [element for element in self.elements if element.tag == tag]

    def texts(self, tag: str) -> list[str]:
        return [element.text for element in self.of(tag)]

    def tags(self) -> set[str]:
        return {element.tag for element in self.elements}

    def policy(self) -> dict[str, list[str]]:
        """The content security policy: each directive with its sources."""
        (meta,) = [m for m in self.of("meta") if m.attributes.get("http-equiv") == "Content-Security-Policy"]
        directives = (part.split() for part in meta.attributes["content"].split(";"))
        return {name: sources for name, *sources in directives}


def digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def loads_of(html: str) -> list[str]:
    """What a page would load: every address in it but those inside it."""
    return re.findall(
        r"""(?:src|href|action|data|poster)\s*=\s*["'](?!#)([^"']*)|url\(["']?(?!#)([^)]*)|@import""", html
    )
