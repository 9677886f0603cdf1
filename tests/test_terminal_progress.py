"""What a command says off a terminal of how far it is."""

import re
import time

from evalharness.commands import terminal_progress
from evalharness.commands.terminal_progress import EVERY_S, Lines


def said(capsys):
    return capsys.readouterr().err.splitlines()


def test_a_stage_that_takes_long_says_what_is_left_of_it_and_a_short_one_does_not(capsys):
    now = [0.0]
    lines = Lines(clock=lambda: now[0])
    lines.stage("diagnosing", 4)
    assert len(said(capsys)) == 1
    now[0] = EVERY_S / 2
    lines.advance()
    assert said(capsys) == []
    now[0] = 3 * EVERY_S
    lines.advance()
    (line,) = said(capsys)
    assert [int(number) for number in re.findall(r"\d+", line)] == [2, 4, 4, 30]
    now[0] += EVERY_S - 1
    lines.advance()
    assert said(capsys) == []


def test_nothing_is_left_of_a_stage_that_is_over(capsys):
    now = [0.0]
    lines = Lines(clock=lambda: now[0])
    lines.stage("loading", 1)
    now[0] = 10 * EVERY_S
    lines.advance()
    assert len(said(capsys)) == 1


def test_a_piece_that_takes_long_is_no_silence(capsys, monkeypatch):
    monkeypatch.setattr(terminal_progress, "EVERY_S", 0.05)
    with Lines() as lines:
        lines.stage("probing the attention", 2)
        deadline = time.monotonic() + 10
        said_meanwhile = []
        while len(said_meanwhile) < 3 and time.monotonic() < deadline:
            said_meanwhile += said(capsys)
            time.sleep(0.01)
    assert len(said_meanwhile) >= 3
    assert all("attention" in line for line in said_meanwhile)
