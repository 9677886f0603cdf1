"""What a command says of how far it is: on a terminal, and off it."""

import contextlib
import fcntl
import os
import pty
import re
import struct
import sys
import termios
import threading
import time

import pytest

from evalharness.commands.terminal_progress import Bar
from evalharness.progress import Lines, TimeLeft, plain_lines
from evalharness.progress.plain_lines import EVERY_S
from evalharness.progress.time_left import MOST_ENDS


def said(capsys):
    return capsys.readouterr().err.splitlines()


def test_a_stage_that_takes_long_says_what_is_left_of_it_and_a_short_one_does_not(capsys):
    now = [0.0]
    watcher = Lines(clock=lambda: now[0])
    watcher.stage("diagnosing", 4)
    assert len(said(capsys)) == 1
    now[0] = EVERY_S / 2
    watcher.advance()
    assert said(capsys) == []
    now[0] = 3 * EVERY_S
    watcher.advance()
    (line,) = said(capsys)
    assert [int(number) for number in re.findall(r"\d+", line)] == [2, 4, 2, 50], "as long as the last one took"
    now[0] += EVERY_S - 1
    watcher.advance()
    assert said(capsys) == []


def test_nothing_is_left_of_a_stage_that_is_over(capsys):
    now = [0.0]
    watcher = Lines(clock=lambda: now[0])
    watcher.stage("loading", 1)
    now[0] = 10 * EVERY_S
    watcher.advance()
    assert len(said(capsys)) == 1


def test_a_piece_that_takes_long_is_no_silence(capsys, monkeypatch):
    monkeypatch.setattr(plain_lines, "EVERY_S", 0.05)
    with Lines() as watcher:
        watcher.stage("probing the attention", 2)
        deadline = time.monotonic() + 10
        said_meanwhile = []
        while len(said_meanwhile) < 3 and time.monotonic() < deadline:
            said_meanwhile += said(capsys)
            time.sleep(0.01)
    assert len(said_meanwhile) >= 3
    assert all("attention" in line for line in said_meanwhile)


def test_items_that_are_left_take_as_long_as_those_that_are_done_did():
    now = [0.0]
    items = TimeLeft(lambda: now[0])
    items.begin(5)
    assert items.left_s is None
    now[0] = 40.0
    items.finish(2)
    assert items.left_s == pytest.approx(60)
    now[0] = 50.0
    assert items.left_s == pytest.approx(50)
    now[0] = 500.0
    assert items.left_s == pytest.approx(40), "the one that takes longer than the others may end any moment"


def test_pieces_that_were_over_at_once_tell_nothing_of_those_that_take_long():
    now = [0.0]
    items = TimeLeft(lambda: now[0])
    items.begin(100)
    now[0] = 0.0001
    items.finish(3)
    now[0] = 60.0
    assert items.left_s is None
    items.finish(4)
    assert items.left_s is None, "one of a hundred"
    now[0] = 75.0
    items.finish(5)
    assert items.left_s == pytest.approx(95 * 15)


def test_a_slow_beginning_does_not_mislead():
    now = [0.0]
    pieces = TimeLeft(lambda: now[0])
    pieces.begin(800)
    now[0] = 9.0
    pieces.finish(1)
    assert pieces.left_s is None, "two hours, by this one"
    for done in range(2, 101):
        now[0] += 0.1
        pieces.finish(done)
    assert pieces.left_s == pytest.approx(70)


def test_of_many_pieces_the_last_ones_tell_and_few_are_kept():
    now = [0.0]
    pieces = TimeLeft(lambda: now[0])
    pieces.begin(100_000)
    for done in range(1, 50_001):
        now[0] += 0.2
        pieces.finish(done)
    assert pieces.left_s == pytest.approx(10_000)
    assert len(pieces._ends) <= MOST_ENDS


def test_pieces_that_end_together_have_a_time():
    now = [0.0]
    pieces = TimeLeft(lambda: now[0])
    pieces.begin(64)
    now[0] = 10.0
    for done in range(1, 17):
        pieces.finish(done)
    assert pieces.left_s == pytest.approx(30)


def test_a_stage_with_more_pieces_than_expected_is_never_more_than_whole():
    pieces = TimeLeft()
    pieces.begin(2)
    pieces.finish(3)
    assert pieces.total == 3


@contextlib.contextmanager
def terminal(monkeypatch):
    """Stdout and stderr are a terminal of 80 columns; calling it gives the lines that were drawn on it by then.

    No fixture: pytest would put its own streams back before the test.
    """
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    for name in ("COLUMNS", "LINES", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    drawn = bytearray()

    def collect():
        with contextlib.suppress(OSError):  # nobody writes to it any more
            while chunk := os.read(leader, 1 << 16):
                drawn.extend(chunk)

    def drawn_lines(wanted):
        """Waits until ``wanted`` is drawn."""
        deadline = time.monotonic() + 30
        while wanted.encode() not in drawn and time.monotonic() < deadline:
            time.sleep(0.02)
        text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", drawn.decode())
        return [line.rstrip() for line in re.split(r"[\r\n]+", text) if line.strip()]

    threading.Thread(target=collect, daemon=True).start()
    with monkeypatch.context() as patched, os.fdopen(follower, "w") as file:
        patched.setattr(sys, "stderr", file)
        patched.setattr(sys, "stdout", file)
        yield drawn_lines


def test_on_a_terminal_one_bar_names_what_is_going_on_and_rows_stand_above_it(monkeypatch):
    with terminal(monkeypatch) as drawn_lines, Bar() as bar:
        bar.item("step 10", 1, 2)
        bar.stage("calibrating", 1)
        assert any("calibrating" in line for line in drawn_lines("calibrating"))
        bar.stage("running", 2)
        drawn_lines("running")
        bar.advance()
        drawn_lines("1/2")
        bar.show("row of step 10")
        drawn_lines("row of step 10")
        time.sleep(1.5)
        bar.item("step 20", 2, 2)
        bar.stage("completing", 9)
        drawn = drawn_lines("run: ")
    assert "row of step 10" in drawn, "it is a line of its own"
    assert not any("0/1" in line for line in drawn), "what has one piece has no count"
    bars = [line for line in drawn if "━" in line]
    assert all(len(line) <= 80 for line in bars)
    assert {line.split(" (")[0] for line in bars} == {"step 10", "step 20"}


def test_time_that_was_taken_is_told_from_time_that_is_left():
    bar = Bar()
    bar.stage("completing", 100)
    assert bar.figures() == ["0/100", "0 s so far"]


def test_results_go_to_stdout_where_it_is_a_file(monkeypatch, tmp_path):
    with terminal(monkeypatch) as drawn_lines, (tmp_path / "rows.txt").open("w") as file:
        monkeypatch.setattr(sys, "stdout", file)
        with Bar() as bar:
            bar.stage("completing", 9)
            bar.show("row of step 10")
        drawn = drawn_lines("completing")
    assert (tmp_path / "rows.txt").read_text().splitlines() == ["row of step 10"]
    assert "row of step 10" not in drawn
