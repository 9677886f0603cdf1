"""Projects whose model is a class in a ``model.py`` above the checkpoint, built from the arguments in the file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evalharness.errors import CheckpointError
from evalharness.models.torch.projects.proposal import Proposal
from evalharness.models.torch.projects.python_classes import classes_in, whole_models

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from evalharness.models.torch.projects.proposal import Place

MODEL_FILE = "model.py"


def from_model_file(
    place: Place,
    project: str,
    args: Mapping[str, Any],
    *,
    tokenizer: str | None,
    begin_token: int | None = None,
    data: Path | None = None,
) -> Proposal:
    """The model that the nearest ``model.py`` defines. Raises CheckpointError where there is none."""
    file = place.find(MODEL_FILE)
    models = () if file is None else whole_models(classes_in(file))
    if file is None or not models:
        listed = ", ".join(map(str, place.folders))
        raise CheckpointError(
            f"{place.weights}: a checkpoint of {project}, but no {MODEL_FILE} with its model is in {listed}: "
            "put it there, or name it: [model] factory"
        )
    train, validation = (None if data is None else _existing(data / name) for name in ("train.bin", "val.bin"))
    return Proposal(
        project=project,
        folder=file.parent,
        factory=f"{MODEL_FILE}:{models[-1].name}",
        args=dict(args),
        tokenizer=tokenizer,
        begin_token=begin_token,
        train=train,
        validation=validation,
    )


def _existing(path: Path) -> Path | None:
    return path if path.is_file() else None
