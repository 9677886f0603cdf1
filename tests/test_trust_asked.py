"""Code that nobody asked for is run after a yes on a terminal, and never without one."""

from __future__ import annotations

import click
import pytest

from evalharness import __main__ as entry
from evalharness.errors import UntrustedError


@pytest.fixture
def calls(monkeypatch):
    """Each command line that was run; one without ``--trust`` meets code that it may not run."""
    made = []

    def run(arguments, **_):
        made.append(arguments)
        if "--trust" not in arguments:
            raise UntrustedError("model.py: it would run code")

    monkeypatch.setattr(entry.cli, "main", run)
    return made


def answer(monkeypatch, *, terminal, says):
    monkeypatch.setattr(entry, "_can_be_asked", lambda: terminal)
    monkeypatch.setattr(click, "confirm", lambda *_, **__: says)


def test_a_yes_runs_the_command_with_trust(monkeypatch, calls):
    answer(monkeypatch, terminal=True, says=True)
    entry._run(["doctor", "m.pt"])
    assert calls == [["doctor", "m.pt"], ["doctor", "m.pt", "--trust"]]


@pytest.mark.parametrize(("terminal", "says"), [(True, False), (False, True)])
def test_without_a_yes_nothing_is_run(monkeypatch, calls, terminal, says):
    answer(monkeypatch, terminal=terminal, says=says)
    with pytest.raises(UntrustedError):
        entry._run(["doctor", "m.pt"])
    assert len(calls) == 1


def test_a_command_without_the_option_is_not_asked_about(monkeypatch, calls):
    answer(monkeypatch, terminal=True, says=True)
    with pytest.raises(UntrustedError):
        entry._run(["log", "m.pt"])
    assert len(calls) == 1
