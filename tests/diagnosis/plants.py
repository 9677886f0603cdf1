"""All planted faults: each probe of the catalogue has one in two families of model at least."""

from __future__ import annotations

from collections.abc import Iterable

import plants_adapter
import plants_behaviour
import plants_leaks
import plants_losses
import plants_model
import plants_repairs

PLANTS = {
    **plants_leaks.PLANTS,
    **plants_losses.PLANTS,
    **plants_behaviour.PLANTS,
    **plants_adapter.PLANTS,
    **plants_model.PLANTS,
    **plants_repairs.PLANTS,
}


def planted(probe: str, family: str) -> list[str]:
    """The names of the faults of a probe in a family of model."""
    return [name for name, plant in PLANTS.items() if (plant.probe, plant.family) == (probe, family)]


def what_is_missing(probe: str, families: Iterable[str]) -> str:
    """What to add for a probe whose fault is not planted in each of ``families``; nothing if it is."""
    lacking = [family for family in families if not planted(probe, family)]
    if not lacking:
        return ""
    return (
        f"the probe {probe} has no planted fault in a model of {' and '.join(lacking)}: "
        f"add Plant({probe!r}, family, make) to the PLANTS of a file tests/diagnosis/plants_*.py"
    )
