"""litgpt: ``lit_model.pth`` with ``model_config.yaml`` beside it, and the package ``litgpt``.

Its data are those that ``hyperparameters.yaml`` names, beside the weights too.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from evalharness.errors import CheckpointError
from evalharness.models.torch.error_text import first_line
from evalharness.models.torch.projects.litgpt_data import HYPERPARAMETERS, trained_on
from evalharness.models.torch.projects.proposal import Proposal

if TYPE_CHECKING:
    from pathlib import Path

    from evalharness.models.torch.projects.proposal import Place

PROJECT = "litgpt"
PRIORITY = 12


def propose(place: Place) -> Proposal | None:
    """The arguments are those of ``model_config.yaml``; the tokenizer lies beside it."""
    config = place.weights.parent / "model_config.yaml"
    if not place.weights.name.startswith("lit_model") or not config.is_file():
        return None
    code = place.find("litgpt/model.py")
    if code is None and find_spec("litgpt") is None:
        raise CheckpointError(f"{place.weights}: a checkpoint of {PROJECT}, which is not installed: pip install litgpt")
    hyperparameters = place.weights.parent / HYPERPARAMETERS
    data = trained_on(place, _read_yaml(hyperparameters) if hyperparameters.is_file() else {})
    return Proposal(
        project=PROJECT,
        folder=place.weights.parent if code is None else code.parents[1],
        factory="litgpt.model:GPT",
        args=_read_yaml(config),
        context_length=data.context_length,
        train=data.train,
        validation=data.validation,
        needs_trust=code is not None,
        notes=data.notes,
    )


def _read_yaml(path: Path) -> dict[str, Any]:
    import yaml  # noqa: PLC0415 - only these files are YAML

    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise CheckpointError(f"{path}: can't be read: {first_line(error)}") from error
    if not isinstance(values, dict):
        raise CheckpointError(f"{path}: holds a {type(values).__name__}, expected a table")
    return values
