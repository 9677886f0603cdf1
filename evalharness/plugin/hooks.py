"""The pytest plugin: ``pytest --evalharness-checkpoint PATH``, and fixtures for one's own tests.

::

    def test_the_model_has_not_collapsed(evalharness_check):
        evalharness_check("runs/tuned", "no_mode_collapse", "loss_is_honest", problems="warmup")

pytest loads this whenever evalharness is installed, so it imports next to nothing: what scores and checks is in
``session.py``, which is imported when the first test needs it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from evalharness.plugin.options import add_options
from evalharness.plugin.stash import CARDS, RUNNING, SHOWN, SUMMARY, WRITTEN, CheckFailed, shown_once

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Generator

    from evalharness.records import Scorecard

_MARK = "evalharness"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Every setting as an option and as an ini value."""
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, and check the options before anything is collected."""
    config.addinivalue_line("markers", f"{_MARK}: a ready-made check of a checkpoint (-m evalharness runs them alone)")
    if config.getoption("evalharness_checkpoint") or config.getini("evalharness_checkpoint"):
        from evalharness.plugin import session  # noqa: PLC0415 - see the head of this file

        session.checked_options(config)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Generator[None, Any, Any]:
    """Collect the checkpoints of the options beside the files of tests."""
    report = yield
    config = collector.config
    asked = config.getoption("evalharness_checkpoint") or config.getini("evalharness_checkpoint")
    if asked and isinstance(collector, pytest.Session) and report.passed:
        from evalharness.plugin import session  # noqa: PLC0415 - see the head of this file

        report.result.extend(session.collected(collector))
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, Any, Any]:
    """Remember which test is running, so that its report shows what it scored."""
    item.config.stash[RUNNING] = item
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """Put the card beside the assertion of a user's own test that failed; name the check that was skipped."""
    report = yield
    if call.excinfo is not None and isinstance(call.excinfo.value, CheckFailed):
        # pytest's short summary has all of it on a CI server, and JUnit's message everywhere: the card, time and again.
        report.longrepr.reprcrash.message = call.excinfo.value.line
    ready_made = item.get_closest_marker(_MARK) is not None
    if report.failed and not ready_made:
        shown_text = str(report.longrepr)
        cards = item.stash.get(CARDS, {}).items()
        report.sections += [(_MARK, shown_once(item.config, at, card)) for at, card in cards if at not in shown_text]
    if call.excinfo is not None and not report.failed:  # an expected failure: what it says is not shown
        shown = item.config.stash.get(SHOWN, {})
        for at in [at for at, shown_by in shown.items() if shown_by == item.nodeid]:
            del shown[at]
    if report.skipped and ready_made and isinstance(report.longrepr, tuple):
        report.longrepr = (item.nodeid.split("::")[0], None, report.longrepr[2])
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_logreport(report: pytest.TestReport) -> Generator[None, Any, Any]:
    """Name the skipped check where a line would be named: a JUnit file has "None" there else.

    Only while it is written, for the terminal's summary knows that there may be no line.
    """
    whole: Any = report.longrepr
    if _MARK in report.keywords and report.skipped and isinstance(whole, tuple) and whole[1] is None:
        name, _, reason = whole[2].removeprefix("Skipped: ").partition(": ")
        named: Any = (whole[0], f":{name}", reason)
        report.longrepr = named
    result = yield
    report.longrepr = whole
    return result


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """One line for each checkpoint that was scored, here or in a worker of pytest-xdist."""
    reports = [report for category in terminalreporter.stats.values() for report in category]
    properties = [pair for report in reports for pair in getattr(report, "user_properties", ())]
    summary = list(dict.fromkeys(line for name, line in properties if name == SUMMARY))
    asked = config.getoption("evalharness_update_baseline") and not config.option.collectonly
    if asked and not any(name == WRITTEN for name, _ in properties):
        summary.append(
            "--evalharness-update-baseline: no baseline was written: its check was not selected, or failed before"
        )
    if summary:
        terminalreporter.section("evalharness")
        for line in summary:
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def evalharness_score(request: pytest.FixtureRequest) -> Callable[..., Scorecard]:
    """Score a checkpoint and return its scorecard: ``evalharness_score("runs/tuned", problems="warmup")``.

    Settings are those of ``evalharness.score``; paths are relative to pytest's root folder. A checkpoint is scored once
    for the session and for all workers of pytest-xdist, and not at all if nothing has changed since an earlier score.
    """
    from evalharness.plugin import session  # noqa: PLC0415 - see the head of this file

    def score(path: str | os.PathLike[str], **settings: Any) -> Scorecard:
        __tracebackhide__ = True
        return session.scored(request.config, path, settings).scorecard

    return score


@pytest.fixture(scope="session")
def evalharness_check(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Check a checkpoint: ``evalharness_check("runs/tuned", "no_mode_collapse", "loss_is_honest")``.

    Fails with every check that fails, the card of the checkpoint, its cause and its worst completion. Without names,
    runs every check that has its data. Settings are those of ``evalharness_score``, and ``baseline``, ``level`` and
    ``tolerance``.
    """
    from evalharness.plugin import session  # noqa: PLC0415 - see the head of this file

    def check(path: str | os.PathLike[str], *names: str, **settings: Any) -> None:
        __tracebackhide__ = True
        session.check(request.config, path, names, settings)

    return check
