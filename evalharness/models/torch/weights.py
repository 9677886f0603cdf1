"""Weight files become tensors, safely: no file runs code unless the user said that it may."""

from __future__ import annotations

import json
import pickle
import re
import zipfile
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from evalharness.errors import CheckpointError, UntrustedError
from evalharness.models.torch.error_text import first_line, first_sentence, some
from evalharness.models.torch.pickled_classes import code_beside
from evalharness.models.torch.saved_values import plain_tables, plain_values
from evalharness.models.torch.sidecars import Sidecar, sidecar_of
from evalharness.models.torch.state_dicts import USUAL_KEYS, is_usual, state_dicts_in

if TYPE_CHECKING:
    from pathlib import Path

_GLOBAL = re.compile(r"(?:Unsupported global: GLOBAL|Unsupported class) ([\w.<>]+)")


@dataclass(frozen=True, slots=True)
class Weights:
    """The tensors of one checkpoint by name, the files that they were read from, and what was saved beside them.

    ``states`` has each state dict by the key that it was saved under, which is empty where the file is one.
    ``settings`` are the plain values beside them by name, and the tables of these.
    """

    states: dict[str, dict[str, Tensor]]
    files: tuple[Path, ...]
    step: int | None = None
    logged_val_loss: float | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def state(self) -> dict[str, Tensor]:
        """The state dict that lies where they usually do, else the first."""
        return next((state for key, state in self.states.items() if is_usual(key)), next(iter(self.states.values())))


class NoTensorsError(CheckpointError):
    """A weight file that was read and holds no tensor at all."""


def read_weights(path: Path, *, trust: bool = False) -> Weights:
    """Read ``.safetensors``, an index of shards, or anything that ``torch.save`` wrote; tensors stay on the CPU.

    Raises UntrustedError where the file would run code and ``trust`` is not set, CheckpointError where it is missing,
    broken, or holds no state dict (NoTensorsError where it holds nothing).
    """
    if not path.is_file():
        raise CheckpointError(f"{path}: no such file")
    if path.name.endswith(".index.json"):
        return _read_shards(path, trust)
    if path.suffix == ".safetensors":
        return _read_safetensors(path)
    return _read_pickle(path, trust)


def read_saved(path: Path, *, trust: bool = False) -> Mapping[str, Any]:
    """What a weight file holds beside its tensors, by name: settings, steps; empty where there is nothing to read.

    Raises UntrustedError where the file would run code and ``trust`` is not set.
    """
    if path.suffix == ".safetensors" or path.name.endswith(".index.json"):
        return {}
    saved = _torch_load(path, trust)
    return saved if isinstance(saved, Mapping) else {}


def floating_dtype(state: Mapping[str, Tensor]) -> torch.dtype:
    """Return the dtype that most of the floating numbers have; float32 where there are none."""
    counts: dict[torch.dtype, int] = {}
    for tensor in state.values():
        if tensor.is_floating_point():
            counts[tensor.dtype] = counts.get(tensor.dtype, 0) + tensor.numel()
    return max(counts, key=lambda dtype: counts[dtype]) if counts else torch.float32


def _read_safetensors(path: Path) -> Weights:
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
            metadata = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path}: is corrupt or truncated: {first_line(error)}") from error
    sidecar = sidecar_of({key: _as_number(value) for key, value in metadata.items()})
    return Weights({"": state}, (path,), sidecar.step, sidecar.val_loss)


def _read_shards(index: Path, trust: bool) -> Weights:
    try:
        weight_map: dict[str, str] = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        shards = sorted(set(weight_map.values()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{index}: is no index of shards: {first_line(error)}") from error
    absent = [name for name in shards if not (index.parent / name).is_file()]
    if absent:
        raise CheckpointError(f"{index}: shards are missing: {some(absent)} of {len(shards)}")
    state: dict[str, Tensor] = {}
    for name in shards:
        state.update(read_weights(index.parent / name, trust=trust).state)
    if lost := sorted(set(weight_map) - set(state)):
        raise CheckpointError(f"{index}: tensors are in none of its shards: {some(lost)}")
    return Weights({"": state}, (index, *(index.parent / name for name in shards)))


def _read_pickle(path: Path, trust: bool) -> Weights:
    saved = _torch_load(path, trust)
    states = dict(state_dicts_in(saved))
    if not states:
        kind = NoTensorsError if saved == {} else CheckpointError
        raise kind(_no_state_dict(path, saved))
    beside = _beside(saved)
    settings = plain_values(saved) | plain_tables(saved)
    return Weights(states, (path,), beside.step, beside.val_loss, settings)


def _torch_load(path: Path, trust: bool) -> Any:
    # Only the zip format can be mapped, which leaves an optimizer's state on the disk.
    mapped = zipfile.is_zipfile(path)
    try:
        with code_beside(path) if trust else nullcontext():
            return torch.load(path, map_location="cpu", weights_only=not trust, mmap=mapped)
    except Exception as error:
        if isinstance(error, (ModuleNotFoundError, AttributeError)):
            raise CheckpointError(f"{path}: {_no_class(error)}") from error
        asked = _GLOBAL.search(str(error)) if isinstance(error, pickle.UnpicklingError) else None
        if asked is not None:
            raise UntrustedError(
                f"{path}: loading it would run code: it asks for {asked.group(1)}, expected only tensors and plain "
                "values"
            ) from error
        said = first_sentence(error)
        raise CheckpointError(f"{path}: is corrupt, truncated or no file of torch.save: {said}") from error


def _no_class(error: ModuleNotFoundError | AttributeError) -> str:
    instead = "save model.state_dict() instead of the model"
    if "__main__" not in str(error):  # else it is of the script that saved it, which is not run here
        instead = f'put the code that has them beside it, or name it, [model] factory = "models.py:build", or {instead}'
    return f"holds objects of classes that are not found here ({first_sentence(error)}): {instead}"


def _beside(saved: Any) -> Sidecar:
    """The step and the loss that were saved beside a state dict, however deep it lies."""
    step, loss = None, None
    while isinstance(saved, Mapping):
        beside = sidecar_of(saved)
        step = beside.step if step is None else step
        loss = beside.val_loss if loss is None else loss
        saved = next((saved[key] for key in USUAL_KEYS if isinstance(saved.get(key), Mapping)), None)
    return Sidecar(step, loss)


def _no_state_dict(path: Path, saved: Any) -> str:
    if not isinstance(saved, Mapping):
        return f"{path}: holds a {type(saved).__name__}, expected a state dict"
    there = some([str(name) for name in saved] or ["nothing"])
    return f"{path}: holds no state dict: expected tensors, or one under any key; there: {there}"


def _as_number(text: str) -> int | float | None:
    try:
        return int(text) if re.fullmatch(r"\d+", text) else float(text)
    except ValueError:
        return None
