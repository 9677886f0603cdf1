"""What one score is asked to do: the command line over the environment over the manifest over the defaults."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from evalharness.errors import EvalHarnessError
from evalharness.settings.environment import from_environment
from evalharness.settings.manifest import ScoreSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

SandboxLevel = Literal["auto", "A", "B", "C", "none"]
"""How programs are isolated: the best that holds on the machine, one level alone, or not at all."""


@dataclass(frozen=True, slots=True)
class ScoreOptions:
    """All settings of a score. ``max_new_tokens`` None: chosen by the kind of tokenizer; ``limit`` None: no limit."""

    problems: tuple[str, ...] = ("humaneval", "warmup")
    samples: int = 4
    temperature: float = 0.8
    top_p: float = 1.0
    top_k: int = 0
    k: tuple[int, ...] = (1, 4)
    limit: int | None = None
    max_new_tokens: int | None = None
    batch_size: int = 32
    device: str = "auto"
    dtype: str = "float32"
    seed: int = 0
    workers: int | None = None
    sandbox: SandboxLevel = "auto"
    packages: tuple[str, ...] = ()
    out: Path = Path("reports")
    mbpp: Path | None = None
    stop_loops: bool = True
    step: int | None = None
    trust: bool = False

    def __post_init__(self) -> None:
        """Gather every fault and raise once."""
        faults = [
            f"--{name.replace('_', '-')} {getattr(self, name)}: expected {expected}"
            for name, (holds, expected) in _LIMITS.items()
            if getattr(self, name) is not None and not holds(getattr(self, name))
        ]
        if faults:
            raise EvalHarnessError("; ".join(faults))


_LIMITS: dict[str, tuple[Any, str]] = {
    "problems": (lambda v: len(v) > 0, "at least one problem set"),
    "samples": (lambda v: v >= 0, "0 or more"),
    "temperature": (lambda v: v > 0, "more than 0 (the greedy completion is always made)"),
    "top_p": (lambda v: 0 < v <= 1, "more than 0 and at most 1"),
    "top_k": (lambda v: v >= 0, "0 (no cut) or more"),
    "k": (lambda v: v and all(k >= 1 for k in v), "numbers of 1 or more, such as 1,4"),
    "limit": (lambda v: v >= 1, "1 or more"),
    "max_new_tokens": (lambda v: v >= 1, "1 or more"),
    "batch_size": (lambda v: v >= 1, "1 or more"),
    "workers": (lambda v: v >= 1, "1 or more"),
    "sandbox": (lambda v: v in get_args(SandboxLevel), "auto, A, B, C or none"),
}


def resolve(
    asked: Mapping[str, Any], manifest: ScoreSettings, environment: Mapping[str, str] | None = None
) -> ScoreOptions:
    """Lay ``asked`` (values that are None are "not said") over ``EVALHARNESS_*`` over ``[score]`` over the defaults.

    ``environment`` is the process's own unless another is given. Raises :class:`EvalHarnessError` for values that are
    out of range or can't be read, all of them in one line.
    """
    said = from_environment(ScoreSettings, os.environ if environment is None else environment)
    written = {item.name: getattr(manifest, item.name) for item in dataclasses.fields(manifest)}
    values = {**written, **said, **{name: value for name, value in asked.items() if value is not None}}
    return ScoreOptions(**{name: value for name, value in values.items() if value is not None})
