"""The tree of errors.

::

    EvalHarnessError            exit 2: the command line or a file is wrong or missing
    ├── SettingError            values of settings
    ├── ManifestError           evalharness.toml or [tool.evalharness]
    ├── CheckpointError         weights, adapters, factories, tokenizers
    │   └── UntrustedError      needs --trust
    ├── ProblemError            a problem set
    ├── CompletionFileError     a file of completions
    ├── LogError                a training log
    ├── StoreError              the run folder
    ├── BaselineError           a baseline to compare with
    ├── PreflightError          exit 1: training would begin with a cause for a loss that misleads
    ├── SandboxError            exit 3: programs could not be run here
    └── EvaluationError         exit 3: the model could not be evaluated (NaN, a forward that fails)

A message is one line and names the object, the value, what was expected, and where there is one the way out. What a
completion does wrong is never an error here: it is data (:class:`evalharness.records.Verdict`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one setting: ``called`` names it as it is called where the value was given."""

    name: str
    called: str
    problem: str

    def __str__(self) -> str:
        return f"{self.called}: {self.problem}"


class EvalHarnessError(Exception):
    """The command line or a file is wrong or missing."""

    exit_code = 2


class SettingError(EvalHarnessError):
    """Settings have wrong values or names; ``faults`` has each with the way that it came."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("; ".join(map(str, faults)))
        self.faults = tuple(faults)


class ManifestError(EvalHarnessError):
    """A manifest is malformed, or names something that does not exist; ``faults`` has the settings that are wrong."""

    def __init__(self, message: str, faults: Sequence[Fault] = ()) -> None:
        super().__init__(message)
        self.faults = tuple(faults)


class CheckpointError(EvalHarnessError):
    """A checkpoint can't become a model: files, keys, shapes, factory or tokenizer don't fit."""


class UntrustedError(CheckpointError):
    """Loading would run code that the user has not asked for. ``reason`` is the message without what allows it."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"{reason}; --trust allows it")
        self.reason = reason


class ProblemError(EvalHarnessError):
    """A problem set is unknown, missing, or has faulty rows."""


class CompletionFileError(EvalHarnessError):
    """A file of completions can't be read."""


class LogError(EvalHarnessError):
    """A training log can't be read."""


class ExtensionError(EvalHarnessError):
    """Something that another package adds can't be used."""


class StoreError(EvalHarnessError):
    """The run folder can't be read or written."""


class BaselineError(EvalHarnessError):
    """A baseline can't be read, or is of other problems, another decoding or another seed."""


class PreflightError(EvalHarnessError):
    """A preflight found a cause: training would give a loss that misleads."""

    exit_code = 1


class SandboxError(EvalHarnessError):
    """Programs can't be run on this machine."""

    exit_code = 3


class EvaluationError(EvalHarnessError):
    """The model can't be evaluated: NaN, or a forward pass that fails."""

    exit_code = 3
