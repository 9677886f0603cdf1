"""Norms with another epsilon than in training, which counts where activations are small."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from evalharness.diagnosis.repair import Repair
from evalharness.diagnosis.trials.kept_values import kept_values
from evalharness.diagnosis.trials.swapping import swapped_attributes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalharness.diagnosis.subject import Subject

NAMES = ("eps", "variance_epsilon", "epsilon")
KEYS = ("rms_norm_eps", "layer_norm_eps", "layer_norm_epsilon", "norm_eps", "norm_epsilon")
"""What configurations call it."""
EPSILONS = (1e-12, 1e-8, 1e-6, 1e-5, 1e-3)
"""Of released models; 1e-3 is the default of Keras."""


def repairs(subject: Subject) -> Iterator[Repair]:
    """One epsilon for all norms that have the same."""
    module = subject.torch_model.module
    parts = dict(module.named_modules())
    kept = {
        path: value
        for path, value in kept_values(module, NAMES, float).items()
        if (owner := path.rpartition(".")[0]) in parts and "norm" in type(parts[owner]).__name__.lower()
    }
    keys = [path.rpartition(".")[2] for path in kept_values(module, KEYS, float)]
    for epsilon in EPSILONS if len(set(kept.values())) == 1 else ():
        place, own = next(iter(kept.items()))
        if epsilon != own:
            yield Repair(
                kind="norm_epsilon",
                words=f"`{place}` = {epsilon:g}",
                place=place,
                remedy=f"Set the epsilon of the norms to {epsilon:g}, as in training: `{place}` has {own:g}.",
                change=partial(swapped_attributes, values=dict.fromkeys(kept, epsilon)),
                settings=dict.fromkeys(keys[:1], epsilon),
                present={next(iter(keys), place): own},
            )
