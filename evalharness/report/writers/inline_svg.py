"""A figure's SVG as a part of a page whose content security policy allows no style attributes.

A page holds several figures, so each gets names of its own: matplotlib calls the glyphs of every figure alike.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from markupsafe import Markup

if TYPE_CHECKING:
    from collections.abc import Iterator

_LOCAL_URL = re.compile(r"url\(#")
_SHAPES_ONLY = frozenset({"metadata", "style", "script", "foreignObject"})
"""Elements that are no part of a drawing. The rules of matplotlib's ``style`` are attributes of the root here."""
_ROOT = {"stroke-linejoin": "round", "stroke-linecap": "butt"}


def inline_svg(svg: bytes, name: str, alt: str) -> Markup:
    """Return the drawing as an ``svg`` element as wide as its place, every id in it beginning with ``name``.

    Raises ``xml.etree.ElementTree.ParseError`` if it is no SVG.
    """
    root = ET.fromstring(svg)  # noqa: S314 - drawn by this package
    for element in root.iter():
        _drop_foreign(element)
        element.tag = _local(element.tag)
        element.attrib = dict(_attributes(element, name))
    for size in ("width", "height"):
        root.attrib.pop(size, None)
    root.attrib = {**_ROOT, **root.attrib, "role": "img", "aria-label": alt}
    return Markup(ET.tostring(root, encoding="unicode"))  # noqa: S704 - the serialiser has escaped it


def _drop_foreign(element: ET.Element) -> None:
    for child in list(element):
        if _local(child.tag) in _SHAPES_ONLY:
            element.remove(child)


def _attributes(element: ET.Element, name: str) -> Iterator[tuple[str, str]]:
    """The attributes without namespaces, ids and references under ``name``, style properties one by one."""
    for key, value in element.attrib.items():
        local = _local(key)
        if local == "style":
            yield from ((prop, _own(text, name)) for prop, text in _properties(value))
        elif local == "id":
            yield local, f"{name}-{value}"
        elif local == "href":
            yield local, f"#{name}-{value.removeprefix('#')}"
        elif not local.startswith("on"):
            yield local, _own(value, name)


def _properties(style: str) -> Iterator[tuple[str, str]]:
    for declaration in style.split(";"):
        prop, colon, value = declaration.partition(":")
        if colon:
            yield prop.strip(), value.strip()


def _own(value: str, name: str) -> str:
    return _LOCAL_URL.sub(f"url(#{name}-", value)


def _local(qualified: str) -> str:
    return qualified.rpartition("}")[2]
