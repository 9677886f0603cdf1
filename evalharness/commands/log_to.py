"""``--log-to``: what a command scored, in experiment trackers, too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from evalharness.errors import EvalHarnessError
from evalharness.integrations import trackers

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from evalharness.records import Scorecard

log_to_option = click.option(
    "--log-to",
    multiple=True,
    type=click.Choice([*trackers.TRACKERS]),
    callback=lambda _ctx, _param, names: _checked(names),
    help="Log the figures and the page to this experiment tracker, too; can be given several times.",
)
"""Gives a command ``log_to``, the names of trackers, once their libraries are known to be installed."""


def _checked(names: tuple[str, ...]) -> tuple[str, ...]:
    trackers.check(names)
    return names


def log_scores(names: tuple[str, ...], run: Path, scored: Mapping[Path, Scorecard]) -> None:
    """Log scorecards by the folders of their scores, as one run of each tracker; ``run`` is that run's folder.

    Raises EvalHarnessError for whatever a library raises: the scores lie in the reports folder all the same.
    """
    if not names:
        return
    try:
        with trackers.log_to(names, run.name, run) as log:
            for folder, card in scored.items():
                log(card, folder)
    except EvalHarnessError:
        raise
    except Exception as error:
        reason = str(error).partition("\n")[0]
        raise EvalHarnessError(
            f"--log-to {','.join(names)}: {type(error).__name__}: {reason} (the scores themselves are in {run})"
        ) from error
    click.echo(f"logged to {' and '.join(names)}", err=True)
