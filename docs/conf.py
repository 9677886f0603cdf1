"""How Sphinx builds these pages: ``sphinx-build -W --keep-going docs docs/_build``, or ``tox -e docs``."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE), str(HERE / "_extensions")]

from heavy_packages import HEAVY  # noqa: E402 - it lies in the folder above

_PROJECT = tomllib.loads((HERE.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
project = _PROJECT["name"]
version = release = _PROJECT["version"]
author = "the evalharness authors"

extensions = ["myst_parser", "sphinx.ext.autodoc", "tables_from_code"]
exclude_patterns = ["_build"]

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
"""Headings can be linked to as on GitHub, ``page.md#a-heading``; a link to one that is not there is an error."""

autodoc_mock_imports = list(HEAVY)
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
python_use_unqualified_type_names = True

html_theme = "furo"
html_title = "evalharness"
html_copy_source = False
html_show_copyright = False
html_static_path: list[str] = []
pygments_style = "friendly"
