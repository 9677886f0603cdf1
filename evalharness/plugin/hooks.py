"""The pytest plugin: ``pytest --evalharness-checkpoint PATH``, and fixtures for one's own tests.

::

    def test_the_model_has_not_collapsed(evalharness_check):
        evalharness_check("runs/tuned", "no_mode_collapse", "loss_is_honest", problems="warmup")

pytest loads this whenever evalharness is installed, so it imports next to nothing: what scores and judges is in
``testing.py``, which is imported when the first test asks for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Generator

    from evalharness.records import Scorecard

SETTINGS = {
    "problems": "humaneval, warmup, mbpp or paths of JSONL files, separated by commas",
    "samples": "sampled completions for each problem, beside a greedy one",
    "temperature": "temperature of the sampled ones",
    "limit": "only the first so many problems of each set",
    "max_new_tokens": "longest completion",
    "batch_size": "rows of a forward pass",
    "device": "cpu, cuda, cuda:1, mps",
    "dtype": "float32, bfloat16, float16, float64 or auto",
    "seed": "seed of the sampled completions and of the intervals",
    "workers": "programs run at a time",
    "sandbox": "isolation of programs: auto, A, B, C or none",
    "out": "where reports go, each checkpoint's in a folder of its own under checks; else reports",
}
HELD_TO = {
    "checks": "which of the ready-made checks, separated by commas; else all",
    "baseline": "file that pass@1 is compared with",
    "level": "level of that comparison: its rate of false alarms",
    "tolerance": "a fall that is let pass, as a share of 1",
}
_MARK = "evalharness"
RUNNING: pytest.StashKey[pytest.Item] = pytest.StashKey()
CARDS: pytest.StashKey[dict[str, str]] = pytest.StashKey()
"""The test that is running, kept with the configuration; the cards of what it scored, by report, kept with the test."""
SUMMARY = "evalharness_summary"
"""The property of a test that is its line in the summary."""
WRITTEN = "evalharness_baseline_written"
"""The property of a test that wrote a baseline anew."""
_SHOWN: pytest.StashKey[dict[str, str]] = pytest.StashKey()
"""By report, the id of the test that shows its card."""


class CheckFailed(pytest.fail.Exception):  # type: ignore[misc, name-defined] # pytest gives the class by its function
    """Checks that do not hold. Its text is for the failure; ``told`` is for the places that have room for a line."""

    def __init__(self, told: str, text: str) -> None:
        super().__init__(text, pytrace=False)
        self.told = told


def pytest_addoption(parser: pytest.Parser) -> None:
    """Every setting as an option and as an ini value."""
    group = parser.getgroup("evalharness", "evalharness: does the checkpoint do what its loss says?")
    add = group.addoption
    add(
        "--evalharness-checkpoint",
        action="append",
        metavar="PATH",
        help="collect ready-made checks of this checkpoint; may be given more than once",
    )
    add("--evalharness-trust", action="store_true", default=None, help="allow code and weights from elsewhere to run")
    add("--evalharness-update-baseline", action="store_true", help="write the baseline anew, and fail once")
    parser.addini("evalharness_checkpoint", "checkpoints whose ready-made checks are collected", type="args")
    parser.addini("evalharness_trust", "allow code and weights from elsewhere to run", type="bool", default=False)
    for name, text in {**SETTINGS, **HELD_TO}.items():
        add(f"--evalharness-{name.replace('_', '-')}", dest=f"evalharness_{name}", metavar="VALUE", help=text)
        parser.addini(f"evalharness_{name}", text, default="")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, and tell what is wrong with the options before anything is collected."""
    config.addinivalue_line("markers", f"{_MARK}: a ready-made check of a checkpoint (-m evalharness runs them alone)")
    if config.getoption("evalharness_checkpoint") or config.getini("evalharness_checkpoint"):
        from evalharness import testing  # noqa: PLC0415 - see the head of this file

        testing.checked_options(config)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Generator[None, Any, Any]:
    """Put the checkpoints that are asked for beside the files of tests."""
    report = yield
    config = collector.config
    asked = config.getoption("evalharness_checkpoint") or config.getini("evalharness_checkpoint")
    if asked and isinstance(collector, pytest.Session) and report.passed:
        from evalharness import testing  # noqa: PLC0415 - see the head of this file

        report.result.extend(testing.collected(collector))
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, Any, Any]:
    """Know which test is running, so that what it scores is told in its report."""
    item.config.stash[RUNNING] = item
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """Put the card beside the assertion of a user's own test that failed; name the check that was skipped."""
    report = yield
    if call.excinfo is not None and isinstance(call.excinfo.value, CheckFailed):
        # pytest's short summary has all of it on a CI server, and JUnit's message everywhere: the card, time and again.
        report.longrepr.reprcrash.message = call.excinfo.value.told
    ready_made = item.get_closest_marker(_MARK) is not None
    if report.failed and not ready_made:
        told = str(report.longrepr)
        cards = item.stash.get(CARDS, {}).items()
        report.sections += [(_MARK, shown_once(item.config, at, card)) for at, card in cards if at not in told]
    if call.excinfo is not None and not report.failed:  # an expected failure: what it says is not shown
        shown = item.config.stash.get(_SHOWN, {})
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
    reports = [report for found in terminalreporter.stats.values() for report in found]
    properties = [found for report in reports for found in getattr(report, "user_properties", ())]
    told = list(dict.fromkeys(line for name, line in properties if name == SUMMARY))
    asked = config.getoption("evalharness_update_baseline") and not config.option.collectonly
    if asked and not any(name == WRITTEN for name, _ in properties):
        told.append(
            "--evalharness-update-baseline: no baseline was written: its check was not selected, or failed before"
        )
    if told:
        terminalreporter.section("evalharness")
        for line in told:
            terminalreporter.write_line(line)


def shown_once(config: pytest.Config, report: str, text: str) -> str:
    """What there is to show of a scored checkpoint, or where an earlier test shows it."""
    running = config.stash[RUNNING].nodeid
    first = config.stash.setdefault(_SHOWN, {}).setdefault(report, running)
    return text if first == running else f"its card: see {first} above; report: {report}"


@pytest.fixture(scope="session")
def evalharness_score(request: pytest.FixtureRequest) -> Callable[..., Scorecard]:
    """Score a checkpoint and return its scorecard, as ``evalharness_score("runs/tuned", problems="warmup")``.

    Settings are those of ``evalharness.score``, and paths relative to pytest's root folder. Scored once for the session
    and for all workers of pytest-xdist, and not at all where an earlier score still holds.
    """
    from evalharness import testing  # noqa: PLC0415 - see the head of this file

    def score(path: str | os.PathLike[str], **settings: Any) -> Scorecard:
        __tracebackhide__ = True
        return testing.scored(request.config, path, settings).scorecard

    return score


@pytest.fixture(scope="session")
def evalharness_check(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Hold a checkpoint to checks by their names: ``evalharness_check("runs/tuned", "no_mode_collapse")``.

    Fails with every check that does not hold, the card of the checkpoint, its cause and its worst completion. Without
    names every check is made for which there are data. Settings are as for ``evalharness_score``, and ``baseline``,
    ``level`` and ``tolerance``.
    """
    from evalharness import testing  # noqa: PLC0415 - see the head of this file

    def check(path: str | os.PathLike[str], *names: str, **settings: Any) -> None:
        __tracebackhide__ = True
        testing.check(request.config, path, names, settings)

    return check
