"""Weights that could have been loaded instead, from the same file and from what lies beside a checkpoint.

These are further sets in the file, other bases beside an adapter, and adapters beside weights that may lack them.
Nothing is read here but the list of a file's keys; a set is read when someone asks for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from evalharness.errors import CheckpointError, EvalHarnessError
from evalharness.models.protocols import WeightSet
from evalharness.models.torch.locate import kind_of, weight_files_in
from evalharness.models.torch.weight_names import ADAPTER_CONFIG, INDEX_SUFFIX
from evalharness.models.torch.weights import read_saved, read_weights

if TYPE_CHECKING:
    from pathlib import Path

    from evalharness.models.torch.locate import Located
    from evalharness.settings.manifest import Manifest

DEPTH = 4
"""How deep in a file's mappings sets of weights are looked for."""
FEWEST_TENSORS = 2
MOST_FOLDERS = 48
"""Folders that are looked into for another base: those beside the adapter, and beside its base."""
MOST_ADAPTERS = 4
"""Adapters that are merged into weights to see whether one is missing: the last ones, for each is a loss to measure."""


def other_weights(
    located: Located, manifest: Manifest, base_files: Sequence[Path], *, trust: bool
) -> tuple[WeightSet, ...]:
    """Every set that lies where one would have put it; whether it fits the module is for who reads it to see.

    None if they can't be listed: the checkpoint was loaded without them.
    """
    try:
        return _listed(located, manifest, base_files, trust)
    except (EvalHarnessError, OSError):
        return ()


def _listed(located: Located, manifest: Manifest, base_files: Sequence[Path], trust: bool) -> tuple[WeightSet, ...]:
    if located.kind == "weights":
        return (*_in_file(located.path, trust), *_with_adapters(located, manifest, trust))
    if located.kind == "huggingface":
        files = [file for file in weight_files_in(located.path) if file not in base_files]
        of_files = (_of_file(file, trust, is_base=False) for file in files)
        return (*of_files, *_with_adapters(located, manifest, trust))
    if located.kind == "adapter":
        return tuple(_bases(located, manifest, base_files, trust))
    return ()


def _in_file(path: Path, trust: bool) -> Iterator[WeightSet]:
    """Mappings and lists of tensors in what ``torch.save`` wrote, the one that is loaded among them."""
    if path.suffix == ".safetensors" or path.name.endswith(INDEX_SUFFIX):
        return
    for key in _keys(read_saved(path, trust=trust)):
        words = f"the weights under `{'.'.join(key)}` in {path.name}"
        yield WeightSet(words, f"{path.name}, `{'.'.join(key)}`", partial(_read_key, path, key, trust))


def _keys(value: Any, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Where sets of weights are. An optimizer keeps its states by number, not by the names of weights."""
    if isinstance(value, torch.nn.Module):
        value = value.state_dict()
    if above and _is_set(value):
        yield above
    elif isinstance(value, Mapping) and len(above) < DEPTH:
        for name, inner in value.items():
            if isinstance(name, str) and "optim" not in name:
                yield from _keys(inner, (*above, name))


def _is_set(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return len(value) >= FEWEST_TENSORS and all(isinstance(item, Tensor) for item in value)
    if not isinstance(value, Mapping):
        return False
    return sum(isinstance(item, Tensor) for item in value.values()) >= max(FEWEST_TENSORS, len(value) / 2)


def _read_key(path: Path, key: tuple[str, ...], trust: bool) -> Mapping[str, Tensor]:
    value: Any = read_saved(path, trust=trust)
    for name in key:
        value = value[name]
    if isinstance(value, torch.nn.Module):
        value = value.state_dict()
    named = value.items() if isinstance(value, Mapping) else ((f"#{i}", item) for i, item in enumerate(value))
    return {str(name): tensor for name, tensor in named if isinstance(tensor, Tensor)}


def _of_file(file: Path, trust: bool, *, is_base: bool) -> WeightSet:
    return WeightSet(f"the weights in {file.name}", str(file), partial(_read_file, file, trust), is_base)


def _read_file(file: Path, trust: bool) -> Mapping[str, Tensor]:
    return read_weights(file, trust=trust).state


def _bases(located: Located, manifest: Manifest, base_files: Sequence[Path], trust: bool) -> Iterator[WeightSet]:
    """Models beside the adapter and beside its base, and the base with another adapter merged into it."""
    own = {located.path.resolve(), *(step.path.resolve() for step in located.steps)}
    used = {file.resolve() for file in base_files}
    for folder in _folders(located, manifest, base_files):
        if folder in own:
            continue
        kind = kind_of(folder, plain=manifest.model.factory is not None)
        if kind == "adapter":
            yield _merged(folder, trust)
            continue
        for file in weight_files_in(folder):
            if file.resolve() not in used and file.resolve() not in own:
                named = folder if kind == "huggingface" else file
                yield WeightSet(
                    f"the base {named.name}",
                    f"{ADAPTER_CONFIG}, `base_model_name_or_path`",
                    partial(_read_file, file, trust),
                    is_base=True,
                    settings={"base_model_name_or_path": str(named)},
                )


def _with_adapters(located: Located, manifest: Manifest, trust: bool) -> list[WeightSet]:
    """The weights with an adapter merged into them that lies in their folder, beside it, or beside the manifest."""
    roots = [located.path.resolve().parent, manifest.folder.resolve()]
    plain = manifest.model.factory is not None
    adapters = [folder for folder in _below(roots) if kind_of(folder, plain=plain) == "adapter"]
    return [
        WeightSet(
            f"the weights with the adapter {folder.name} of {folder.parent.name} merged into them",
            str(folder),
            partial(_read_changes, folder, trust),
            is_added=True,
        )
        for folder in adapters[-MOST_ADAPTERS:]
    ]


def _folders(located: Located, manifest: Manifest, base_files: Sequence[Path]) -> list[Path]:
    roots = [located.path.resolve().parent, manifest.folder.resolve(), located.path.resolve().parent.parent]
    roots += [file.resolve().parent.parent for file in base_files if file.resolve().parent != located.path.resolve()]
    return _below(roots)


def _below(roots: Sequence[Path]) -> list[Path]:
    """The roots, what lies in them, and what lies in that."""
    folders: dict[Path, None] = {}
    for root in dict.fromkeys(roots):
        folders[root] = None
        for child in _children(root):
            folders[child] = None
            folders.update(dict.fromkeys(_children(child)))
    return list(folders)[:MOST_FOLDERS]


def _children(folder: Path) -> list[Path]:
    try:
        return sorted(child for child in folder.iterdir() if child.is_dir() and not child.name.startswith("."))
    except OSError:
        return []


def _merged(folder: Path, trust: bool) -> WeightSet:
    """The base that is loaded with the adapter of ``folder`` merged into it."""
    return WeightSet(
        f"the base with the adapter {folder.name} of {folder.parent.name} merged into it",
        f"{ADAPTER_CONFIG}, `base_model_name_or_path`",
        partial(_read_changes, folder, trust),
        is_base=True,
        is_added=True,
    )


def _read_changes(folder: Path, trust: bool) -> Mapping[str, Tensor]:
    """What an adapter adds to each weight of its base."""
    from evalharness.models.torch import adapted, adapters  # noqa: PLC0415 - peft takes seconds to import

    adapter = adapters.read_adapter(folder, trust=trust)
    facts = adapted.merged_facts(_Anything(), {}, adapter.state, adapter.config)
    if not facts.weights:
        raise CheckpointError(f"{folder}: has no LoRA matrices")
    return {f"{weight.name}.weight": weight.change() for weight in facts.weights}


class _Anything(dict[str, Tensor]):
    """Weights whose values do not matter."""

    def get(self, _name: str, _default: Any = None) -> Tensor:
        return torch.empty(0, 0)
