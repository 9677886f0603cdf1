"""What the project's pages say, for tests of the promises in them."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from small_folder import ROOT

sys.path.append(str(ROOT / "docs"))  # the programs there make what the pages show

PAGES = {path: path.read_text(encoding="utf-8") for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]}
README = PAGES[ROOT / "README.md"]
WORDS = "\n".join(PAGES.values())
"""The README and all pages as one text."""


def blocks(language: str, text: str = WORDS) -> list[str]:
    """The blocks of code in one language, in their order."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def block(language: str, begins: str) -> str:
    """The only block of code in one language that begins so."""
    (only,) = (code for code in blocks(language) if code.startswith(begins))
    return only


def commands() -> list[list[str]]:
    """The words of every line of the pages that runs ``evalharness``, without comments."""
    lines = "\n".join(blocks("bash")).replace("\\\n", " ").splitlines()
    words = [line.split("  #")[0].split() for line in lines]
    return [line[1:] for line in words if line and Path(line[0]).name == "evalharness"]


def relative_links(page: Path) -> list[tuple[Path, str]]:
    """The files and anchors that a page links to."""
    targets = re.findall(r"\]\(([^)\s]+)\)", PAGES.get(page) or page.read_text(encoding="utf-8"))
    parts = [target.partition("#") for target in targets if "://" not in target]
    return [(page.parent / path if path else page, anchor) for path, _, anchor in parts]


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub and the built pages name them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
