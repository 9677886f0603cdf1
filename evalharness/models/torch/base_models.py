"""A module with its own weights, before any adapter: of the user's code, or of transformers."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import nn

from evalharness.errors import CheckpointError
from evalharness.models.torch.factory import UserCode, UserObject, argument_names, build
from evalharness.models.torch.fitting import fit, fits
from evalharness.models.torch.gguf_file import quantisation_of_gguf
from evalharness.models.torch.hub import HubFolder, fetch, is_hub_name, name_on_hub
from evalharness.models.torch.locate import main_file, weight_files_in
from evalharness.models.torch.model import Forward, call_module
from evalharness.models.torch.placement import place
from evalharness.models.torch.weight_names import ADAPTER_CONFIG
from evalharness.models.torch.weights import floating_dtype, read_weights

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from evalharness.models.torch.placement import NumberFormat
    from evalharness.models.torch.weights import Weights
    from evalharness.progress import Watcher
    from evalharness.settings.manifest import Manifest, ModelSettings

_EXAMPLE = 'evalharness.toml beside it: [model] | factory = "models.py:build" | args = { layers = 8, width = 512 }'
# What stands for a forward where the class defines none.
_NO_FORWARD = ("_forward_unimplemented", "LightningModule.forward")


@dataclass(frozen=True, slots=True)
class Base:
    """A module that has its weights, the files that it came from, and what they say.

    ``forward`` is how it is called on ids; ``folders`` may hold its tokenizer, and so may a GGUF file among them.
    ``quantisation`` says how its weights were packed, None where they were not.
    """

    module: nn.Module
    kind: str
    is_plain: bool
    files: tuple[Path, ...]
    forward: Forward = call_module
    factory: UserObject | None = None
    step: int | None = None
    logged_val_loss: float | None = None
    end_ids: frozenset[int] = frozenset()
    folders: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()
    quantisation: str | None = None

    def with_adapter(self, *files: Path) -> Base:
        """Return the same base as what an adapter was put into."""
        kind = f"PEFT adapter over a {self.kind}"
        return replace(self, kind=kind, files=(*self.files, *files), logged_val_loss=None)


def load_plain(path: Path, manifest: Manifest, code: UserCode, numbers: NumberFormat, *, trust: bool) -> Base:
    """Build the user's module by the manifest's factory and load one weight file into it."""
    if manifest.model.factory is None:
        where = "" if manifest.path is None else f"; {manifest.path} has none"
        raise CheckpointError(f"{path}: bare weights need a factory{where}: write {_EXAMPLE}, or try evalharness init")
    factory = code.load(manifest.model.factory, "factory")
    with code.running():
        # A file that holds a whole module asks for its classes by their names.
        weights = read_weights(path, trust=trust)
    settings, args_note = _with_saved_args(manifest.model, code, factory, weights)
    module = _with_forward(build(code, factory, settings))
    own = floating_dtype(weights.state)
    used = numbers.of(own, sum(tensor.nbytes for tensor in weights.state.values())) or own
    place(module, torch.device("cpu"), used)
    with torch.no_grad():
        notes = fit(
            module,
            weights,
            path,
            lambda: _with_forward(build(code, factory, settings)),
            settings.state_dict,
        )
    return Base(
        module=module,
        kind="torch module",
        is_plain=True,
        files=weights.files,
        factory=factory,
        step=weights.step,
        logged_val_loss=weights.logged_val_loss,
        notes=(*args_note, *notes, *numbers.notes(own, used)),
    )


def _with_saved_args(
    settings: ModelSettings, code: UserCode, factory: UserObject, weights: Weights
) -> tuple[ModelSettings, tuple[str, ...]]:
    """The manifest's settings, or with the arguments that were saved with the weights if it gives none and they fit."""
    if settings.args or settings.config is not None:
        return settings, ()
    for names in argument_names(factory):
        args = {name: weights.settings[name] for name in names if name in weights.settings}
        filled = replace(settings, args=args)
        with contextlib.suppress(CheckpointError):
            if args and fits(_with_forward(build(code, factory, filled)), weights):
                return filled, (f"args saved with the weights: {', '.join(f'{n}={v!r}' for n, v in args.items())}",)
    return settings, ()


def _with_forward(module: nn.Module) -> nn.Module:
    """The module, or the part of it that is the model, as a LightningModule that only trains one has no forward."""
    if not getattr(type(module).forward, "__qualname__", "").startswith(_NO_FORWARD):
        return module
    parts = [part for part in module.children() if next(part.parameters(), None) is not None]
    return parts[0] if len(parts) == 1 else module


def load_huggingface(folder: Path, numbers: NumberFormat, *, trust: bool) -> Base:
    """Load a model of transformers from a folder."""
    from evalharness.models.torch import huggingface  # noqa: PLC0415 - transformers takes seconds to import

    files = weight_files_of(folder)
    own = huggingface.own_dtype(folder)
    dtype = numbers.of(own, sum(file.stat().st_size for file in files))
    module, quantisation = huggingface.load_model(folder, dtype, trust=trust)
    widened = () if quantisation is not None or own is None else numbers.notes(own, dtype or own)
    own_code = (f"runs code of its own from {folder}",) if getattr(module.config, "auto_map", None) and trust else ()
    return Base(
        module=module,
        kind="Hugging Face model",
        is_plain=False,
        files=(*files, *huggingface.configuration_files(folder)),
        forward=huggingface.call_without_cache,
        end_ids=huggingface.end_ids_of(module),
        folders=(folder,),
        notes=(*own_code, *widened),
        quantisation=None if quantisation is None else str(quantisation),
    )


def load_gguf(file: Path, dtype: torch.dtype | None) -> Base:
    """Load a GGUF file; its weights are unpacked to ``dtype``, None for float32."""
    from evalharness.models.torch import huggingface  # noqa: PLC0415 - transformers takes seconds to import

    module, _ = huggingface.load_model(file, dtype, trust=False)
    return Base(
        module=module,
        kind="GGUF file",
        is_plain=False,
        files=(file,),
        forward=huggingface.call_without_cache,
        end_ids=huggingface.end_ids_of(module),
        quantisation=quantisation_of_gguf(file),
    )


def find_base(
    adapter: Path,
    manifest: Manifest,
    code: UserCode,
    numbers: NumberFormat,
    working_folder: Path,
    *,
    trust: bool,
    watcher: Watcher | None = None,
) -> Base:
    """Find and load what an adapter lies over: what the manifest says first, then the adapter's own configuration.

    A name of the hub is downloaded; ``watcher`` sees it. Raises CheckpointError where it is not found, with what was
    looked for.
    """
    if manifest.model.factory is not None:
        path, note = _plain_weights(adapter, manifest)
        base = load_plain(path, manifest, code, numbers, trust=trust)
        return replace(base, notes=(note, *base.notes))
    named = named_weights(manifest, watcher)
    folder, called = named or _named_by_adapter(adapter, manifest, working_folder, watcher)
    if not (folder / "config.json").is_file():
        raise CheckpointError(
            f"{folder}: the base of {adapter.name} has no config.json and needs a factory: {_EXAMPLE}"
        )
    base = load_huggingface(folder, numbers, trust=trust)
    return replace(base, notes=(f"base: {called}", *base.notes))


def named_weights(manifest: Manifest, watcher: Watcher | None) -> tuple[Path, str] | None:
    """The path that ``[model] weights`` names, and what it is called in a note; None if it names none.

    A name of the hub is downloaded. Raises CheckpointError if it can't be.
    """
    named = manifest.model.weights
    if named is None:
        return None
    name = name_on_hub(named, manifest.folder)
    return (named, str(named)) if name is None else _fetched(f"{manifest.path}: [model] weights", name, None, watcher)


def _fetched(owner: str, name: str, revision: str | None, watcher: Watcher | None) -> tuple[Path, str]:
    found = fetch(name, revision, watcher=watcher)
    if isinstance(found, HubFolder):
        return found.folder, str(found)
    raise CheckpointError(f"{owner} {name!r}: {found}; or name its folder in the manifest: [model] weights = …")


def weight_files_of(folder: Path) -> tuple[Path, ...]:
    """Return all files that hold weights in a folder, shards and their index included."""
    files = weight_files_in(folder)
    shards = [file for index in files if index.suffix == ".json" for file in _shards(index)]
    return (*files, *shards)


def _shards(index: Path) -> Iterator[Path]:
    stem = index.name.split(".")[0]
    yield from (file for file in sorted(index.parent.glob(f"{stem}-*")) if file.suffix in {".safetensors", ".bin"})


def _plain_weights(adapter: Path, manifest: Manifest) -> tuple[Path, str]:
    """The base's weight file: the manifest's, or the only one beside the adapter or the manifest."""
    named = manifest.model.weights
    if named is not None:
        if not named.exists():
            raise CheckpointError(f"{manifest.path}: [model] weights: there is no {named}")
        return main_file(named), f"base weights: {named.name}"
    for folder in dict.fromkeys((adapter.parent.resolve(), manifest.folder.resolve())):
        files = weight_files_in(folder)
        called_base = [file for file in files if file.name.startswith("base")] or files
        if len(called_base) == 1:
            return called_base[0], f"base weights: {called_base[0].name}, found beside the adapter or the manifest"
    raise CheckpointError(
        f"{adapter}: the adapter's base has no weights: name the file in {manifest.path}: [model] weights = …"
    )


def _named_by_adapter(
    adapter: Path, manifest: Manifest, working_folder: Path, watcher: Watcher | None
) -> tuple[Path, str]:
    """The folder that ``base_model_name_or_path`` means: from the adapter, from above it, or from where one works.

    If there is none, it is the name of a model of the hub.
    """
    from evalharness.models.torch import adapters  # noqa: PLC0415 - peft takes seconds to import

    named = adapters.base_name(adapter)
    if named is None:
        raise CheckpointError(f"{adapter}: {ADAPTER_CONFIG} names no base, and no factory: {_EXAMPLE}")
    origin = adapter.resolve()
    for start in (origin, *origin.parents[:3], manifest.folder, working_folder):
        if (start / named.name).is_dir():
            folder = (start / named.name).resolve()
            return folder, str(folder)
    if is_hub_name(named.name):
        return _fetched(f"{adapter}: its base", named.name, named.revision, watcher)
    raise CheckpointError(
        f"{adapter}: its base {named.name!r} is not here: name the folder in the manifest: [model] weights = …"
    )
