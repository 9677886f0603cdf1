"""How the tests of the plugin start a pytest of their own."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from forked_command import run_pytest

ALONE = ("-p", "no:hypothesispytest", "-p", "no:anyio", "-W", "ignore::pytest.PytestAssertRewriteWarning")
"""Other plugins, which would be imported anew in each session. And the package is imported before pytest begins."""
QUICK = ("--evalharness-limit=2", "--evalharness-samples=0")
"""Another score than that of the project, in a second or two."""


def run(session: pytest.Pytester, *arguments: str, checkpoint: Path | None = None) -> pytest.RunResult:
    """Run a session in the working folder, which is ``session``'s unless the test went elsewhere."""
    own = [] if checkpoint is None else [f"--evalharness-checkpoint={checkpoint}"]
    options = [*ALONE, "-p", "no:cacheprovider", *own, *arguments]
    result = run_pytest(options, cwd=Path.cwd(), env=os.environ)
    assert "INTERNALERROR" not in result.stdout.str() + result.stderr.str()
    return result


def told(text: str) -> str:
    """What a session says of its failures: the lines between their headings and the short summary, without rules."""
    body = re.split(r"^=+ (?:short test summary info|evalharness) =+$", text, flags=re.MULTILINE)[0]
    lines = body.partition(" FAILURES ")[2].splitlines()[1:]
    return "\n".join(line for line in lines if line.strip() and not re.match("[-_=]+ .* [-_=]+$|[-_=]{3}", line))
