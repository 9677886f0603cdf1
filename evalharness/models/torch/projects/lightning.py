"""Lightning: ``*.ckpt`` with ``hyper_parameters`` and a ``state_dict`` whose names begin with the attribute's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalharness.errors import CheckpointError
from evalharness.models.torch.projects.own_code import code_near
from evalharness.models.torch.projects.proposal import Proposal
from evalharness.models.torch.projects.python_classes import is_quiet, module_classes
from evalharness.models.torch.saved_values import plain_values

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evalharness.models.torch.projects.proposal import Place, Saved
    from evalharness.models.torch.projects.python_classes import PythonClass

PROJECT = "Lightning"
PRIORITY = 14
_SAVED = "hyper_parameters"


def propose(place: Place) -> Proposal | None:
    """The class whose ``__init__`` takes the hyperparameters: the LightningModule, or what it wraps."""
    saved = place.saved
    if "state_dict" not in saved or not any(str(key) == _SAVED or "lightning" in str(key) for key in saved):
        return None
    given: Saved = saved.get(_SAVED) or {}
    values = {**plain_values(given), **given}
    whole = saved.get("hparams_name")
    if isinstance(whole, str) and whole not in {"kwargs", *values}:
        # The class takes all of them as one argument of this name.
        values[whole] = dict(given)
    candidates = [candidate for candidate in module_classes(code_near(place)) if is_quiet(candidate.file)]
    chosen = max(candidates, key=lambda candidate: _agreement(candidate, values), default=None)
    if chosen is None:
        listed = ", ".join(map(str, place.folders))
        raise CheckpointError(
            f"{place.weights}: a checkpoint of {PROJECT}, but no file that only defines things has its class in "
            f"{listed}: move the class out of the training script, or name it: [model] factory"
        )
    folder, spec = chosen.origin
    return Proposal(
        project=PROJECT,
        folder=folder,
        factory=spec,
        args={name: value for name, value in values.items() if name in chosen.parameters},
    )


def _agreement(candidate: PythonClass, values: Mapping[str, object]) -> tuple[int, bool]:
    return len(set(candidate.parameters) & values.keys()), any("Lightning" in base for base in candidate.bases)
