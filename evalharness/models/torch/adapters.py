"""PEFT adapters over any module, plain or of transformers, put in place and compared with their file.

PEFT only warns where an adapter does not match its base, and the base is then scored unnoticed; here that is an error.
"""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import peft
import torch
from peft.utils import get_peft_model_state_dict, set_peft_model_state_dict
from torch import Tensor, nn

from evalharness.errors import CheckpointError
from evalharness.models.torch.empty_tensors import not_gathered
from evalharness.models.torch.error_text import first_line, some
from evalharness.models.torch.renaming import DifferingPart, differing_part
from evalharness.models.torch.weight_names import ADAPTER_CONFIG, ADAPTER_WEIGHTS
from evalharness.models.torch.weights import NoTensorsError, read_weights

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_PREFIX = "base_model.model."


@dataclass(frozen=True, slots=True)
class Adapter:
    """An adapter's files as they were read. ``state`` has PEFT's names without their prefix."""

    folder: Path
    config_file: Path
    weights_file: Path
    config: Any
    state: dict[str, Tensor]
    notes: tuple[str, ...]


def read_adapter(folder: Path, *, trust: bool) -> Adapter:
    """Read configuration and weights of an adapter. Raises CheckpointError where either is missing, broken or empty."""
    config_file = folder / ADAPTER_CONFIG
    weights_file = next((folder / name for name in ADAPTER_WEIGHTS if (folder / name).is_file()), None)
    if weights_file is None:
        raise CheckpointError(
            f"{folder}: has {ADAPTER_CONFIG} and no weights (looked for {', '.join(ADAPTER_WEIGHTS)})"
        )
    config, notes = _read_config(config_file)
    state = _tensors(weights_file, trust)
    plain = {name.removeprefix(_PREFIX): tensor for name, tensor in state.items()}
    return Adapter(folder, config_file, weights_file, config, plain, notes)


def _tensors(file: Path, trust: bool) -> dict[str, Tensor]:
    """The tensors of the file; refused if it has none, for then the base alone would answer, and if any is empty."""
    try:
        state = read_weights(file, trust=trust).state
    except NoTensorsError:
        state = {}
    empty = [name for name, tensor in state.items() if not tensor.numel()]
    if len(empty) < len(state):
        if empty:
            raise CheckpointError(f"{file}: {not_gathered(empty)}")
        return state
    there = f"{len(state)} tensors, all of size 0" if state else "no tensors"
    raise CheckpointError(
        f"{file}: the file of this adapter holds no weights ({there}), so that the base alone would answer; expected "
        "lora_A and lora_B of each adapted module. Save the adapter again by model.save_pretrained(folder), of a model "
        "whose state_dict was not replaced and whose parameters are gathered (DeepSpeed ZeRO-3), or take another "
        "checkpoint"
    )


@dataclass(frozen=True, slots=True)
class BaseName:
    """What an adapter's configuration says of its base: a path or a name of the hub, and the revision of that."""

    name: str
    revision: str | None


def base_name(folder: Path) -> BaseName | None:
    """Return ``base_model_name_or_path`` of an adapter's configuration; None where it names none."""
    values = _read_json(folder / ADAPTER_CONFIG)
    name, revision = values.get("base_model_name_or_path"), values.get("revision")
    if not isinstance(name, str) or not name:
        return None
    return BaseName(name, revision if isinstance(revision, str) and revision else None)


def apply_adapter(module: nn.Module, adapter: Adapter, step: int | None) -> tuple[str, ...]:
    """Put an adapter into a module in place and return notes.

    Raises CheckpointError where targets, names, shapes or values don't match, or where the adapter changes nothing and
    ``step`` is above 0.
    """
    file = adapter.weights_file
    resizing = _resized(module, adapter)
    _inject(module, adapter)
    expected = _adapter_state(module)
    own = set(module.state_dict())
    missing = sorted(set(expected) - set(adapter.state))
    # An adapter's file may bring whole tensors of the base along, such as an embedding that was enlarged.
    unexpected = sorted(name for name in adapter.state if name not in expected and name not in own)
    if missing or unexpected:
        raise CheckpointError(f"{file}: {_do_not_match(missing, unexpected)}")
    try:
        set_peft_model_state_dict(module, adapter.state)
    except (RuntimeError, KeyError, ValueError) as error:
        raise CheckpointError(f"{file}: does not load into the module: {_reason(error)}") from error
    _check_values(module, adapter)
    note = _note_on_effect(adapter, step)
    return (*adapter.notes, *resizing, *((note,) if note else ()))


def _read_config(file: Path) -> tuple[Any, tuple[str, ...]]:
    _read_json(file)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            config = peft.PeftConfig.from_pretrained(str(file.parent))
        except Exception as error:
            raise CheckpointError(f"{file}: is no configuration of PEFT: {first_line(error)}") from error
    # A newer PEFT wrote keys that this one does not know: it leaves them out, and the user should know.
    return config, tuple(f"{file.name}: {str(warning.message).splitlines()[0]}" for warning in caught)


def _read_json(file: Path) -> dict[str, Any]:
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise CheckpointError(f"{file}: can't be read: {error.strerror}") from error
    except ValueError as error:
        raise CheckpointError(f"{file}: is not valid JSON: {first_line(error)}") from error
    if not isinstance(values, dict):
        raise CheckpointError(f"{file}: holds a {type(values).__name__}, expected a table")
    return values


def _resized(module: nn.Module, adapter: Adapter) -> tuple[str, ...]:
    """Give a model of transformers as many tokens as the embedding in the adapter's file has, and say so."""
    if not hasattr(module, "resize_token_embeddings") or not hasattr(module, "get_input_embeddings"):
        return ()
    inputs: Any = module.get_input_embeddings
    table = inputs()
    name = next((f"{name}.weight" for name, part in module.named_modules() if part is table), "")
    whole = adapter.state.get(name)
    if whole is None or whole.dim() != 2 or len(whole) == len(table.weight):
        return ()
    before = len(table.weight)
    resize: Any = module.resize_token_embeddings
    resize(len(whole), mean_resizing=False)
    return (f"the base's vocabulary is resized from {before} to {len(whole)} rows, as the adapter has them",)


def _inject(module: nn.Module, adapter: Adapter) -> None:
    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        # PEFT remarks on tied weights and on layers that it fills anew; every tensor is compared with the file below.
        warnings.simplefilter("ignore")
        try:
            peft.inject_adapter_in_model(adapter.config, module)
        except Exception as error:
            raise CheckpointError(f"{adapter.config_file}: does not fit the base: {first_line(error)}") from error
    module.eval()
    module.requires_grad_(False)


def _adapter_state(module: nn.Module) -> dict[str, Tensor]:
    # Not "auto": that asks the hub whether the base's vocabulary was changed.
    state = get_peft_model_state_dict(module, save_embedding_layers=False)
    return {name.removeprefix(_PREFIX): tensor for name, tensor in state.items()}


def _do_not_match(missing: list[str], unexpected: list[str]) -> str:
    faults = []
    if missing:
        faults.append(f"the adapter's configuration asks for tensors that the file lacks: {some(missing)}")
    if unexpected:
        faults.append(f"the file has tensors that the adapted module lacks: {some(unexpected)}")
    told = "; ".join(faults)
    part = differing_part(unexpected, missing)
    return told if part is None else f"{told}. {_other_class(part)}"


def _other_class(part: DifferingPart) -> str:
    return (
        f"The names differ by a part: {part.here!r} in the file, {part.there!r} in the adapted module. The adapter was "
        "trained over another class of the model, or over a wrapped one: load it over the base of that class, or save "
        "the adapter again with the names changed"
    )


def _reason(error: BaseException) -> str:
    """The line of torch's long message that names the tensor."""
    lines = [line.strip() for line in str(error).splitlines() if "size mismatch" in line]
    return lines[0] if lines else first_line(error)


def _check_values(module: nn.Module, adapter: Adapter) -> None:
    loaded: Mapping[str, Tensor] = {**module.state_dict(), **_adapter_state(module)}
    differ = [
        name
        for name, tensor in adapter.state.items()
        if not torch.equal(loaded[name].cpu(), tensor.to(loaded[name].dtype))
    ]
    if differ:
        raise CheckpointError(f"{adapter.weights_file}: was loaded with other values than it holds: {some(differ)}")


def _note_on_effect(adapter: Adapter, step: int | None) -> str | None:
    if _changes_something(adapter.state):
        return None
    if step is None:
        return f"{adapter.weights_file.name} changes nothing: in each pair of LoRA matrices one is all zero"
    if step > 0:
        raise CheckpointError(
            f"{adapter.weights_file}: changes nothing at step {step}: in each pair of LoRA matrices one is all zero; "
            "expected lora_B to be trained"
        )
    return "the adapter is untrained at step 0: the model is its base"


def _changes_something(state: Mapping[str, Tensor]) -> bool:
    """Whether any product of LoRA matrices is not zero, or there is any tensor that is no LoRA matrix."""
    for name, tensor in state.items():
        partner = name.replace("lora_A", "lora_B").replace("lora_embedding_A", "lora_embedding_B")
        if partner == name:
            if "lora_B" in name or "lora_embedding_B" in name:
                continue
            return True
        other = state.get(partner)
        if other is not None and bool(tensor.any()) and bool(other.any()):
            return True
    return False
