"""The live line while a checkpoint is scored, on a real terminal and off it."""

from __future__ import annotations

import contextlib
import os
import pty
import re
from collections.abc import Iterator
from multiprocessing.connection import wait

import pytest
from forked_command import start_pytest
from plugin_sessions import ALONE, QUICK, run
from scored_folder import Project

from evalharness.plugin.live_line import LiveLine

pytestmark = pytest.mark.xdist_group("scored project")

WIDTH = 80


class Screen:
    """As much of a terminal as pytest and the line make use of; colours are left out."""

    def __init__(self) -> None:
        self.lines, self.row, self.column = [""], 0, 0

    def feed(self, text: str) -> Screen:
        for escape, char in re.findall(r"\x1b\[([\d;]*[A-Za-z])|([\s\S])", text):
            self._escape(escape) if escape else self._put(char)
        return self

    def _escape(self, escape: str) -> None:
        number, kind = int(escape[:-1] or 1) if escape[:-1].isdigit() else 1, escape[-1]
        if kind == "A":
            self.row -= number
        elif kind == "C":
            self.column += number
        elif kind == "K":
            self.lines[self.row] = self.lines[self.row][: self.column]

    def _put(self, char: str) -> None:
        if char == "\n":
            self.row += 1
            self.lines += [""] * (self.row + 1 - len(self.lines))
        elif char == "\r":
            self.column = 0
        else:
            line = self.lines[self.row].ljust(self.column)
            self.lines[self.row] = line[: self.column] + char + line[self.column + 1 :]
            self.column += 1


def on_a_terminal(session: pytest.Pytester, *arguments: str) -> str:
    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(WIDTH), "TERM": "xterm"}
    options = [*ALONE, "-p", "no:cacheprovider", *arguments]
    process = start_pytest(options, cwd=session.path, env=environment, terminal=os.ttyname(theirs))
    read = bytearray()
    while ours in wait([ours, process.sentinel]):  # what it wrote last is read after it has ended
        read += os.read(ours, 4096)
    for end in (ours, theirs):
        os.close(end)
    return read.decode()


@pytest.mark.parametrize("flag", ["--color=yes", "-q"])
def test_the_line_shows_how_far_a_score_is_and_leaves_the_screen_as_it_would_be(
    session: pytest.Pytester, project: Project, flag: str
) -> None:
    session.makepyfile(
        test_mine=f"""
        def test_first(): pass

        def test_it(evalharness_score):
            print("not for the terminal")
            evalharness_score({str(project.sound)!r})

        def test_last(): pass
        """
    )
    options = ["test_mine.py", flag, f"--evalharness-out=r{flag}", *QUICK]
    text = on_a_terminal(session, *options)
    what = re.escape(f"evalharness: scoring {project.sound}"[: WIDTH - 1])
    assert re.search(what, text)
    assert "not for the terminal" not in text
    shown = Screen().feed(text).lines
    kept = Screen().feed(on_a_terminal(session, *options)).lines
    assert [re.sub(r"in [\d.]+s", "", line).strip("= ") for line in shown] == [
        re.sub(r"in [\d.]+s", "", line).strip("= ") for line in kept
    ]
    assert not any("scoring" in line for line in shown)


def test_off_a_terminal_and_in_workers_nothing_is_shown(session: pytest.Pytester, project: Project) -> None:
    for more in ((), ("-n", "1")):
        out = f"--evalharness-out=r{len(more)}"
        result = run(session, "--evalharness-checks=loss_is_honest", out, *QUICK, *more, checkpoint=project.sound)
        assert "scoring" not in result.stdout.str() + result.stderr.str()
        assert "\x1b" not in result.stdout.str()


def test_the_line_counts_is_cut_at_the_width_and_goes_back_to_the_column(capsys: pytest.CaptureFixture[str]) -> None:
    entered, clock = [], iter([0.0, 1.0, 1.05, 2.0, 3.0])

    @contextlib.contextmanager
    def uncaptured() -> Iterator[None]:
        entered.append(True)
        yield

    line = LiveLine("checkpoints/leaky", uncaptured, 12, 66, lambda: next(clock))
    line.say("loaded")
    line.stage("completing", 60)
    line.advance()
    line.advance()
    line.stage("a stage with a name that is too long for the width of it", 1)
    line.erase()
    line.erase()
    text = capsys.readouterr().out
    assert text.split("\r\x1b[K") == [
        "\nevalharness: scoring checkpoints/leaky …",
        "evalharness: scoring checkpoints/leaky (completing 0 of 60) …",
        "evalharness: scoring checkpoints/leaky (completing 2 of 60) …",
        "evalharness: scoring checkpoints/leaky (a stage with a name that i"[:65],
        "\x1b[A\x1b[12C",
    ]
    assert len(entered) == 5
    assert Screen().feed("tests/a.py ." + text + ".").lines == ["tests/a.py ..", ""]
