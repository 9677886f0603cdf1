"""Which class in the user's code makes the model of a weight file: tried, by names and shapes."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from evalharness.errors import EvalHarnessError
from evalharness.models.torch.factory import UserCode, build
from evalharness.models.torch.fitting import fits
from evalharness.models.torch.projects.own_code import code_near, values_near
from evalharness.models.torch.projects.proposal import Proposal
from evalharness.models.torch.projects.python_classes import is_quiet, module_classes, whole_models
from evalharness.models.torch.projects.sizes import size_named, sizes_of
from evalharness.models.torch.weights import read_weights
from evalharness.settings.manifest import ModelSettings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from evalharness.models.torch.projects.proposal import Place
    from evalharness.models.torch.projects.python_classes import PythonClass
    from evalharness.models.torch.weights import Weights

OWN_CODE = "your own code"
_MOST_CLASSES = 40
_HEADS = re.compile(r"heads?(?:_|$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A class that may make the model: where it is imported from, and the settings that it takes."""

    found: PythonClass
    folder: Path
    spec: str
    parameters: tuple[str, ...]


def candidates(place: Place) -> tuple[Candidate, ...]:
    """The classes of modules near a checkpoint, whole models first; files that do more than define are left out."""
    classes = [model for model in code_near(place) if is_quiet(model.file)]
    whole = whole_models(classes)
    every = [*whole, *(model for model in module_classes(classes) if model not in whole)]
    return tuple(_candidate(model, classes) for model in every[:_MOST_CLASSES])


def match(place: Place) -> Proposal | None:
    """The first class that has every name and shape of the weights. Runs the user's code: ask first.

    Its arguments are those that were saved with the weights or beside them, else those that the shapes show, else the
    defaults.
    """
    weights = read_weights(place.weights, trust=place.trust)
    values, sizes = values_near(place), sizes_of(weights.state)
    for candidate in candidates(place):
        code = UserCode(candidate.folder)
        for args in _arguments(candidate, values, sizes):
            if _makes(code, candidate, args, weights):
                return Proposal(OWN_CODE, candidate.folder, candidate.spec, args, notes=_not_known(candidate, args))
    return None


def _not_known(candidate: Candidate, args: Mapping[str, Any]) -> tuple[str, ...]:
    """What decides how the model computes, is in no shape and was not saved: the code's default may be another."""
    lacking = [name for name in candidate.parameters if _HEADS.search(name) and name not in args]
    names = ", ".join(lacking)
    return (
        (f"[model] args: {names}: saved nowhere, and no shape shows it: the code's default is used",) if names else ()
    )


def _candidate(model: PythonClass, classes: list[PythonClass]) -> Candidate:
    folder, spec = model.origin
    return Candidate(model, folder, spec, _settings_of(model, classes))


def _settings_of(model: PythonClass, classes: list[PythonClass]) -> tuple[str, ...]:
    """What its model is made from: its parameters, or what the configuration holds that is its only one."""
    if len(model.required) != 1 or model.required[0].lower() not in _CONFIG_NAMES:
        return model.parameters
    configs = [other for other in classes if other.is_config and other.name in model.annotations]
    configs = configs or [other for other in classes if other.is_config and other.file == model.file]
    if configs:
        return configs[0].parameters
    # A table: what any class of the file reads of it, for parts get the same one.
    return tuple(sorted({name for other in classes if other.file == model.file for name in other.reads}))


_CONFIG_NAMES = {"config", "cfg", "params", "args", "hparams", "conf", "c"}


def _arguments(candidate: Candidate, values: Mapping[str, Any], sizes: Mapping[str, int]) -> Iterator[dict[str, Any]]:
    """What the class may have been called with: as saved; with sizes for what is not saved; with all sizes."""
    saved = {name: values[name] for name in candidate.parameters if name in values}
    shown = {name: size for name in candidate.parameters if (size := size_named(name, sizes)) is not None}
    tried: list[dict[str, Any]] = []
    for args in (saved, shown | saved, saved | shown):
        if args not in tried:
            tried.append(args)
            yield args


def _makes(code: UserCode, candidate: Candidate, args: dict[str, Any], weights: Weights) -> bool:
    settings = dataclasses.replace(ModelSettings(), factory=candidate.spec, args=args)
    try:
        with torch.no_grad():
            return fits(build(code, code.load(candidate.spec, "factory"), settings), weights)
    except EvalHarnessError:
        return False
