"""Projects whose model is a class in a ``model.py`` above the checkpoint, built from the arguments in the file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evalharness.errors import CheckpointError
from evalharness.models.torch.projects.own_code import code_near
from evalharness.models.torch.projects.proposal import Proposal
from evalharness.models.torch.projects.python_classes import classes_in, is_quiet, whole_models

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from evalharness.models.torch.projects.proposal import Place
    from evalharness.models.torch.projects.python_classes import PythonClass

MODEL_FILE = "model.py"
USUAL_CLASSES = ("GPT", "Transformer")


def from_model_file(
    place: Place,
    project: str,
    args: Mapping[str, Any],
    *,
    tokenizer: str | None,
    begin_token: int | None = None,
    train: Path | None = None,
    validation: Path | None = None,
) -> Proposal:
    """The model of the nearest ``model.py``, or of the file whose configuration has all ``args``.

    Raises CheckpointError where there is neither.
    """
    file = place.find(MODEL_FILE) or _file_that_takes(place, args)
    models = () if file is None else whole_models(classes_in(file))
    if file is None or not models:
        listed = ", ".join(map(str, place.folders))
        raise CheckpointError(
            f"{place.weights}: a checkpoint of {project}, but no {MODEL_FILE} with its model is in {listed}: "
            "put it there, or name it: [model] factory"
        )
    folder, spec = _likeliest(models).origin
    return Proposal(
        project=project,
        folder=folder,
        factory=spec,
        args=dict(args),
        tokenizer=tokenizer,
        begin_token=begin_token,
        train=train,
        validation=validation,
    )


def _likeliest(models: tuple[PythonClass, ...]) -> PythonClass:
    """The class that is called as these projects call theirs, else the last: parts stand before wholes."""
    return next((model for model in models if model.name in USUAL_CLASSES), models[-1])


def _file_that_takes(place: Place, args: Mapping[str, Any]) -> Path | None:
    configurations = (config for config in code_near(place) if config.is_config and is_quiet(config.file))
    return next((config.file for config in configurations if set(args) <= set(config.parameters)), None)
