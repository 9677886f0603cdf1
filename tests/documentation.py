"""What the project's pages say, for tests of the promises in them."""

from __future__ import annotations

from small_folder import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = {path.name: path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs").glob("*.md"))}
WORDS = "\n".join((README, *PAGES.values()))
"""The README and all pages as one text."""
