"""The settings of a gate: the one place that lists them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 - the type of a setting, read at run time
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from evalharness.settings.declaration import setting
from evalharness.settings.environment import from_environment
from evalharness.settings.values import PYTHON, laid_over, read

if TYPE_CHECKING:
    from collections.abc import Mapping

JudgeBy = Literal["point", "bound"]
CheckName = Literal[
    "no_mode_collapse", "loss_is_honest", "ends_by_itself", "not_contaminated", "pass_rate_not_below_baseline"
]
"""The checks of ``gate/checks.py``."""

LEVEL = 0.05
"""One false alarm in twenty comparisons of equal checkpoints, the custom in the field."""

TOLERANCE = 0.02
"""Two points are four or five of the 224 problems of humaneval and warmup: a smaller fall is no ground to act upon."""


@dataclass(frozen=True, slots=True)
class GateOptions:
    """``[gate]``: what ``evalharness gate`` and the pytest plugin require of a checkpoint."""

    no_collapse: bool = setting(
        False,
        places=("command", "environment", "manifest", "python"),
        help="Fail if the verdict is collapsed, or if most greedy completions are degenerate and the "
        "sampled ones don't rule a collapse out.",
    )
    checks: tuple[CheckName, ...] = setting(
        (),
        metavar="NAME,…",
        help="Checks that must pass: no_mode_collapse, loss_is_honest (no cause for a misleading loss was found), "
        "ends_by_itself (most completions reach an end token or a stop sequence), not_contaminated (no "
        "problem in the training data), pass_rate_not_below_baseline.",
    )
    min_pass_at_1: float | None = setting(
        above=0,
        at_most=1,
        places=("command", "environment", "manifest", "python"),
        metavar="FRACTION",
        help="Fail if greedy pass@1, over all problems together, is lower.",
    )
    max_loop_rate: float | None = setting(
        at_least=0,
        below=1,
        places=("command", "environment", "manifest", "python"),
        metavar="FRACTION",
        help="Fail if a larger fraction of the sampled completions is degenerate (looping, empty or gibberish).",
    )
    max_greedy_loop_rate: float | None = setting(
        at_least=0,
        below=1,
        places=("command", "environment", "manifest", "python"),
        metavar="FRACTION",
        help="The same for the greedy completions. Small healthy models loop more often when greedy.",
    )
    require: Literal["healthy"] | None = setting(
        places=("command", "environment", "manifest", "python"),
        metavar="VERDICT",
        help="healthy: fail unless the verdict is healthy, so also if there are too few completions to tell.",
    )
    judge_by: JudgeBy = setting(
        "point",
        places=("command", "environment", "manifest", "python"),
        help="What the three rates above are compared with: point: the estimate; bound: the pessimistic end of "
        "its 95 % interval.",
    )
    baseline: Path | None = setting(
        help="Fail if pass@1 fell since this baseline was saved, significantly and by more than --tolerance."
    )
    level: float = setting(
        LEVEL,
        at_least=0.0001,
        at_most=0.5,
        metavar="FRACTION",
        help="Significance level of that comparison: how often equal checkpoints fail.",
    )
    tolerance: float = setting(
        TOLERANCE,
        at_least=0,
        below=1,
        metavar="FRACTION",
        help="Accepted fall of pass@1: 0.02 is two points.",
    )

    @property
    def names(self) -> tuple[str, ...]:
        """The checks that must pass; a baseline that is given must not be missed."""
        named = [*(["no_mode_collapse"] if self.no_collapse else []), *self.checks]
        named += ["pass_rate_not_below_baseline"] if self.baseline is not None else []
        return tuple(dict.fromkeys(named))

    @property
    def asks_for_something(self) -> bool:
        """Whether there is anything that could fail."""
        wanted = (self.require, self.min_pass_at_1, self.max_loop_rate, self.max_greedy_loop_rate)
        return bool(self.names) or any(value is not None for value in wanted)


class CheckSettings(TypedDict, total=False):
    """What a test may give to the fixture ``evalharness_check`` beside the settings of a score."""

    baseline: str | os.PathLike[str]
    level: float
    tolerance: float


def resolve_gate(
    asked: Mapping[str, Any], manifest: Mapping[str, Any], environment: Mapping[str, str] | None = None
) -> GateOptions:
    """Lay ``asked`` over ``EVALHARNESS_*`` over ``[gate]`` over the defaults, as :func:`score.resolve` does."""
    said = from_environment(GateOptions, os.environ if environment is None else environment)
    return laid_over(GateOptions, read(GateOptions, asked, PYTHON), said, manifest)
