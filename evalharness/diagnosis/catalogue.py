"""All probes, in the order in which they are asked.

Each file in ``probes/`` exports a ``PROBE``, and a ``BATCH_PROBE`` if the same is asked in another way before training.
To add a probe, add a file there: nothing else lists it. Other packages add theirs as entry points
(:mod:`evalharness.extensions`). Then plant its fault in two families of model
(``tests/diagnosis/plants_*.py``) and run ``benchmarks/matrix.py``.
"""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from evalharness.diagnosis import probes
from evalharness.extensions import extensions

if TYPE_CHECKING:
    from evalharness.diagnosis.probe import AskedOf, Probe
    from evalharness.extensions import Extension


@cache
def catalogue(asked_of: AskedOf = "checkpoint") -> tuple[Probe, ...]:
    """The probes that are asked of a checkpoint, or before training of a batch or of rows, in their order."""
    return tuple(sorted((p for p in _all_probes() if asked_of in p.asked_of), key=lambda probe: probe.order))


def _all_probes() -> list[Probe]:
    """What the files in ``probes/`` export."""
    modules = [
        importlib.import_module(module.name) for module in pkgutil.iter_modules(probes.__path__, f"{probes.__name__}.")
    ]
    own = [getattr(module, name) for module in modules for name in ("PROBE", "BATCH_PROBE") if hasattr(module, name)]
    return own + [_with_package(extension) for extension in extensions("probes").loaded]


def _with_package(extension: Extension) -> Probe:
    """Another package's probe: its name says where it comes from, wherever its findings are shown."""
    probe: Probe = extension.value
    return replace(probe, name=f"{probe.name} (from {extension.package})", package=extension.package)
