"""Hugging Face folders whose weights are quantised: by what method, and which packages that needs."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evalharness.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_PACKAGES = {
    "aqlm": ("aqlm",),
    "auto-round": ("auto-round",),
    "awq": ("gptqmodel",),
    "bitsandbytes": ("bitsandbytes",),
    "compressed-tensors": ("compressed-tensors",),
    "eetq": ("kernels",),
    "fbgemm_fp8": ("fbgemm-gpu",),
    "gptq": ("optimum", "gptqmodel"),
    "hqq": ("hqq",),
    "mxfp4": ("kernels",),
    "quanto": ("optimum-quanto",),
    "quark": ("amd-quark",),
    "spqr": ("spqr_quant",),
    "torchao": ("torchao",),
    "vptq": ("vptq",),
}
"""What transformers needs for each method, by the names under which packages are installed."""
_MODULES = {
    "auto-round": "auto_round",
    "compressed-tensors": "compressed_tensors",
    "fbgemm-gpu": "fbgemm_gpu",
    "optimum-quanto": "optimum",
    "amd-quark": "quark",
}
"""The modules of packages that are imported by another name."""
_NAMES = {"awq": "AWQ", "gptq": "GPTQ"}
_OLDER_FILES = {"quantize_config.json": "gptq", "quant_config.json": "awq"}
"""Where tools wrote the quantisation before ``config.json`` had it."""


@dataclass(frozen=True, slots=True)
class Quantisation:
    """How weights are quantised. ``bits`` are those of a weight, None if no file says."""

    method: str
    bits: int | None

    def __str__(self) -> str:
        name = _NAMES.get(self.method, self.method)
        return name if self.bits is None else f"{name}, {self.bits} bits"

    def missing_packages(self) -> list[str]:
        """The packages for this method that are not installed."""
        needed = _PACKAGES.get(self.method, ())
        return [package for package in needed if importlib.util.find_spec(_MODULES.get(package, package)) is None]


def quantisation_of_folder(folder: Path, config: Any) -> Quantisation | None:
    """How the weights in a folder are quantised, by its configuration; None if they are not.

    Raises CheckpointError, in one line, if a package that it needs is not installed.
    """
    found = _in_config(getattr(config, "quantization_config", None)) or _in_older_files(folder)
    if found is not None and (missing := found.missing_packages()):
        raise CheckpointError(
            f"{folder}: its weights are quantised ({found}), which needs {' and '.join(missing)}: "
            f"pip install {' '.join(missing)}, or take the model that is not quantised"
        )
    return found


def _in_config(settings: Any) -> Quantisation | None:
    values: Any = settings.to_dict() if hasattr(settings, "to_dict") else settings
    return _quantisation(values, "bitsandbytes") if isinstance(values, dict) and values else None


def _in_older_files(folder: Path) -> Quantisation | None:
    for name, method in _OLDER_FILES.items():
        try:
            values = json.loads((folder / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(values, dict):
            return _quantisation(values, method)
    return None


def _quantisation(values: Mapping[str, Any], otherwise: str) -> Quantisation:
    """The oldest configurations, those of bitsandbytes, name no method."""
    method = values.get("quant_method") or otherwise
    flagged = next((bits for bits in (4, 8) if values.get(f"load_in_{bits}bit")), None)
    bits = values.get("bits") or values.get("w_bit") or flagged
    return Quantisation(str(getattr(method, "value", method)), bits if isinstance(bits, int) else None)
