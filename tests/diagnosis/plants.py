"""All planted faults: each probe of the catalogue has one in two families of model at least."""

from __future__ import annotations

import plants_adapter
import plants_behaviour
import plants_leaks
import plants_losses
import plants_model

PLANTS = {
    **plants_leaks.PLANTS,
    **plants_losses.PLANTS,
    **plants_behaviour.PLANTS,
    **plants_adapter.PLANTS,
    **plants_model.PLANTS,
}
