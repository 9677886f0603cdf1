"""A path becomes one checkpoint: what lies there, and which step of a series is meant. No weights are read here.

A folder is, in this order: an adapter of its own, a series of adapters, a Hugging Face model of its own, a series of
other checkpoints, or one weight file. ``step`` always looks for a series.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from evalharness.errors import CheckpointError
from evalharness.models.torch.error_text import is_like_one_of, nearest
from evalharness.models.torch.hub import HubFolder, fetch, is_hub_name
from evalharness.models.torch.other_layouts import what_to_do
from evalharness.models.torch.sidecars import Sidecar, Sidecars
from evalharness.models.torch.step_names import is_best_name, is_last_name, is_step_name, step_in_name
from evalharness.models.torch.weight_names import (
    ADAPTER_CONFIG,
    ADAPTER_WEIGHTS,
    GGUF_SUFFIX,
    INDEX_SUFFIX,
    WEIGHT_SUFFIXES,
    is_weights_name,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from evalharness.progress import Watcher
    from evalharness.settings.manifest import Manifest

Kind = Literal["weights", "adapter", "huggingface", "gguf", "elsewhere"]
"""``elsewhere``: another package's loader recognises it."""

_ONE_FILE = ("weights", "gguf")
"""The kinds that are one file, also if its folder was named."""
_HUGGINGFACE_NAMES = ("model.safetensors", "pytorch_model.bin")
_KEYS_OF_TRANSFORMERS = {"model_type", "architectures", "auto_map", "transformers_version"}
_LOOKED_FOR = (
    "looked for .pt, .pth, .safetensors, *.safetensors.index.json, .gguf, adapter_config.json, config.json with weights"
)


@dataclass(frozen=True, slots=True)
class SeriesStep:
    """One checkpoint of a series. ``step`` is None where neither a name nor a file beside it tells."""

    step: int | None
    path: Path
    is_best: bool = False
    logged_val_loss: float | None = None


@dataclass(frozen=True, slots=True)
class Located:
    """The one checkpoint that is meant: a weight file, or the folder of an adapter or of a Hugging Face model.

    ``series`` is the folder of the series that it is a step of, and ``steps`` are all steps of that; None and empty
    where it stands alone. ``hub`` is the model of the hub that it was downloaded of, if it was.
    """

    kind: Kind
    path: Path
    step: int | None
    logged_val_loss: float | None = None
    notes: tuple[str, ...] = ()
    series: Path | None = None
    steps: tuple[SeriesStep, ...] = ()
    hub: HubFolder | None = None

    @property
    def source(self) -> Path:
        """What it is a checkpoint of: a model of the hub, the folder of its series, or itself where it stands alone."""
        if self.hub is not None:
            return self.hub.repository
        return (self.path if self.series is None else self.series).resolve()

    @property
    def member(self) -> str:
        """What tells it from the others of its source if its step is not known."""
        return str(self.path.resolve()) if self.hub is None else f"revision {self.hub.revision}"


def find_series(
    path: Path | str, manifest: Manifest | None = None, sidecars: Sidecars | None = None
) -> list[SeriesStep]:
    """Return the checkpoints of a folder in the order of their steps; empty where it is no series.

    The unnumbered come first, ``final`` and ``last`` come last. A ``best`` takes its step from the step that it is a
    copy of. A folder with adapters is a series of adapters: the base beside them is none of its steps. ``manifest``
    tells whether the weights belong to the user's own module, and which file is the base. Each sidecar is read once,
    those that ``sidecars`` knows not again.
    """
    folder, sidecars = Path(path), sidecars or Sidecars()
    if not folder.is_dir():
        return []
    plain = manifest is not None and manifest.model.factory is not None
    base = manifest.model.weights if manifest is not None else None
    # Of the files only whole weights: an optimizer's state is no step, nor is one shard of several.
    own_files = [] if kind_of(folder, plain=plain) == "huggingface" else weight_files_in(folder)
    children = sorted([*own_files, *(child for child in folder.iterdir() if child.is_dir() and not _is_hidden(child))])
    kinds = {child: kind_of(child, plain=plain) for child in children if not _same(child, base)}
    members = [child for child, kind in kinds.items() if kind == "adapter"] or [
        child for child, kind in kinds.items() if kind is not None
    ]
    if not any(step_in_name(child.name) is not None or is_best_name(child.name) for child in members):
        return []
    marked = sidecars.best_of(folder, members)
    steps = [_series_step(child, sidecars.of(child), child == marked) for child in members]
    return sorted(_with_steps_of_copies(steps), key=_order)


def locate(
    path: Path | str,
    manifest: Manifest,
    step: int | None = None,
    *,
    revision: str | None = None,
    watcher: Watcher | None = None,
) -> Located:
    """Return the one checkpoint that a path and a step mean, or the name of a model of the hub and a ``revision``.

    What lies at the path wins over the hub; ``watcher`` sees the download. Raises CheckpointError where nothing is
    there, nothing can be loaded, or the step is not in the series.
    """
    path = Path(path)
    hub = find_on_hub(path, revision, series=step is not None, watcher=watcher)
    if hub is None:
        return _located(path, manifest, step)
    # A revision may be the step of a run: step1000.
    own = step_in_name(hub.revision)
    found = _located(hub.folder, manifest, None if step == own else step)
    return replace(found, step=own if found.step is None else found.step, notes=(str(hub), *found.notes), hub=hub)


def find_on_hub(
    path: Path, revision: str | None = None, *, series: bool = False, watcher: Watcher | None = None
) -> HubFolder | None:
    """Return the model of the hub that a path names, downloaded; None for a path of this machine.

    A name whose folder is on this machine, or that is like one in the working folder, is no name of the hub, unless a
    ``revision`` is given. Raises CheckpointError for a path that is neither, and for a ``revision`` of what lies on
    this machine.
    """
    if path.exists():
        if revision is not None:
            raise CheckpointError(f"{path}: lies on this machine, where nothing has a revision: leave out --revision")
        return None
    absent = f"{path}: no such file or folder ({_nearest_to(path)})"
    if path.is_absolute() or not is_hub_name(path.as_posix()):
        raise CheckpointError(absent)
    if revision is None and _is_of_this_machine(path):
        raise CheckpointError(f"{absent}; if a model of the hub is meant, name its --revision, such as main")
    found = fetch(path.as_posix(), revision, series=series, watcher=watcher)
    if isinstance(found, HubFolder):
        return found
    raise CheckpointError(f"{path}: {found}" if found.is_known else f"{absent}, and {found}")


def _is_of_this_machine(path: Path) -> bool:
    """Whether a path is of this machine, though nothing lies there: the hub is not asked for ``out/modle``.

    A name alone, such as ``gpt2``, is if one like it lies here.
    """
    return path.parent.is_dir() if len(path.parts) > 1 else is_like_one_of(path.name, _siblings(path))


def _nearest_to(path: Path) -> str:
    return nearest(path.name, _siblings(path))


def _siblings(path: Path) -> list[str]:
    return sorted(child.name for child in path.parent.iterdir()) if path.parent.is_dir() else []


def _located(path: Path, manifest: Manifest, step: int | None) -> Located:
    kind = kind_of(path, plain=manifest.model.factory is not None)
    sidecars = Sidecars()
    series = find_series(path, manifest, sidecars)
    if step is not None and series:
        return replace(locate_step(_one_step(path, series, step), manifest), series=path, steps=tuple(series))
    if series and not _is_itself(kind, series):
        chosen, note = _best_or_last(path, series)
        return replace(locate_step(chosen, manifest), notes=(note,), series=path, steps=tuple(series))
    if kind is None:
        raise CheckpointError(_nothing_here(path))
    return _single(path, kind, manifest, step, series, sidecars)


def locate_step(chosen: SeriesStep, manifest: Manifest) -> Located:
    """One step of a series that :func:`find_series` found. Raises CheckpointError if it is gone."""
    kind = kind_of(chosen.path, plain=manifest.model.factory is not None)
    if kind is None:
        raise CheckpointError(_nothing_here(chosen.path))
    path = main_file(chosen.path) if kind in _ONE_FILE else chosen.path
    return Located(kind, path, chosen.step, chosen.logged_val_loss)


def kind_of(path: Path, *, plain: bool) -> Kind | None:
    """Tell what one path holds; None where it is nothing that can be loaded.

    ``plain`` says that a factory makes the module, so that a ``config.json`` is its own and not transformers'.
    """
    if path.is_file():
        return _kind_of_file(path, plain=plain)
    if (path / ADAPTER_CONFIG).is_file():
        return "adapter"
    if not plain and _is_huggingface_folder(path):
        return "huggingface"
    files = _files_of_one_form(path)
    if len(files) != 1:
        return None
    return "gguf" if files[0].suffix == GGUF_SUFFIX else "weights"


def _kind_of_file(path: Path, *, plain: bool) -> Kind | None:
    if path.suffix == GGUF_SUFFIX:
        return "gguf"
    if path.name in ADAPTER_WEIGHTS and (path.parent / ADAPTER_CONFIG).is_file():
        return "adapter"
    if not plain and path.name.startswith(_HUGGINGFACE_NAMES) and _is_huggingface_folder(path.parent):
        return "huggingface"
    return "weights" if is_weights_name(path.name) or path.suffix in WEIGHT_SUFFIXES else None


def weight_files_in(folder: Path) -> list[Path]:
    """Return the weight files of a folder; a sharded one counts once, as its index. A hidden file is none of them."""
    if not folder.is_dir():
        return []
    shown = (child for child in folder.iterdir() if child.is_file() and not _is_hidden(child))
    named = sorted(child for child in shown if is_weights_name(child.name))
    files = [file for file in named if _may_be_of_torch(file)] or named
    indices = [file for file in files if file.name.endswith(INDEX_SUFFIX)]
    stems = tuple(file.name.split(".")[0] + "-" for file in indices)
    return indices + [file for file in files if file not in indices and not (stems and file.name.startswith(stems))]


def _is_hidden(path: Path) -> bool:
    """Training loops and notebooks keep states and copies under such names, which are no checkpoints."""
    return path.name.startswith(".")


def _may_be_of_torch(file: Path) -> bool:
    """Whether it is no ``.bin``, or begins as torch's do, which are zips or pickles.

    Other tools call theirs so, too: llama2.c puts its own ``model.bin`` beside the ``ckpt.pt`` that it is made of.
    """
    if file.suffix != ".bin":
        return True
    with file.open("rb") as opened:
        return opened.read(1) in (b"P", b"\x80")


def gguf_files_in(folder: Path) -> list[Path]:
    """Return the GGUF files of a folder."""
    return sorted(folder.glob(f"*{GGUF_SUFFIX}")) if folder.is_dir() else []


def _files_of_one_form(folder: Path) -> list[Path]:
    """The weight files of a folder; its GGUF files if there are no others."""
    return weight_files_in(folder) or gguf_files_in(folder)


def main_file(path: Path) -> Path:
    """Return the file that holds the weights of an adapter's folder, of a folder with one weight file, or the file."""
    if path.is_file():
        return path
    for name in ADAPTER_WEIGHTS:
        if (path / name).is_file():
            return path / name
    files = _files_of_one_form(path)
    return files[0] if files else path


def _is_huggingface_folder(folder: Path) -> bool:
    files = weight_files_in(folder) if _names_a_model(folder / "config.json") else []
    return any(file.name.startswith(_HUGGINGFACE_NAMES) for file in files)


def _names_a_model(config: Path) -> bool:
    """Whether a ``config.json`` is one of transformers: one that can't be read may be."""
    if not config.is_file():
        return False
    try:
        values = json.loads(config.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return True
    return not isinstance(values, dict) or not values or bool(_KEYS_OF_TRANSFORMERS & values.keys())


def _same(child: Path, base: Path | None) -> bool:
    return base is not None and child.resolve() == base.resolve()


def _series_step(child: Path, sidecar: Sidecar, is_marked_best: bool) -> SeriesStep:
    step = step_in_name(child.name)
    is_best = is_best_name(child.name) or is_marked_best
    return SeriesStep(sidecar.step if step is None else step, child, is_best, sidecar.val_loss)


def _with_steps_of_copies(steps: list[SeriesStep]) -> Iterable[SeriesStep]:
    """Give each unnumbered step the number of the step whose weights are the same bytes."""
    for item in steps:
        twin = _twin(item, steps) if item.step is None else None
        if twin is None:
            yield item
        else:
            yield replace(item, step=twin.step, logged_val_loss=item.logged_val_loss or twin.logged_val_loss)


def _twin(item: SeriesStep, steps: list[SeriesStep]) -> SeriesStep | None:
    own = main_file(item.path)
    for other in steps:
        theirs = main_file(other.path)
        if other.step is not None and own.is_file() and theirs.is_file() and _equal_bytes(own, theirs):
            return other
    return None


def _equal_bytes(one: Path, other: Path) -> bool:
    if one.stat().st_size != other.stat().st_size:
        return False
    with one.open("rb") as left, other.open("rb") as right:
        while chunk := left.read(1 << 20):
            if chunk != right.read(1 << 20):
                return False
    return True


def _order(item: SeriesStep) -> tuple[bool, int, bool, str]:
    number = -1 if item.step is None else item.step
    return (item.step is None and is_last_name(item.path.name), number, item.is_best, item.path.name)


def _is_itself(kind: Kind | None, series: list[SeriesStep]) -> bool:
    """Whether a folder that also holds a series is a checkpoint of its own (see the head of this file)."""
    adapters_below = any((item.path / ADAPTER_CONFIG).is_file() for item in series)
    return kind == "adapter" or (kind == "huggingface" and not adapters_below)


def _one_step(path: Path, series: list[SeriesStep], step: int) -> SeriesStep:
    matches = [item for item in series if item.step == step]
    named = [item for item in matches if step_in_name(item.path.name) == step] or matches
    if not named:
        known = ", ".join(str(number) for number in sorted({item.step for item in series if item.step is not None}))
        raise CheckpointError(f"{path}: there is no step {step} (there: {known or 'no numbered step'})")
    if len(named) > 1:
        listed = ", ".join(item.path.name for item in named)
        raise CheckpointError(f"{path}: step {step} is ambiguous ({listed}): give the path of one of them")
    return named[0]


def _best_or_last(path: Path, series: list[SeriesStep]) -> tuple[SeriesStep, str]:
    best = [item for item in series if item.is_best]
    # A step that a trainer marked and the copy of it that is called best are one choice.
    if len({item.step for item in best}) > 1 or (len(best) > 1 and best[0].step is None):
        listed = ", ".join(item.path.name for item in best)
        raise CheckpointError(
            f"{path}: {len(best)} checkpoints are marked best ({listed}): give the path of one of them"
        )
    count = len({item.step for item in series if item.step is not None}) or len(series)
    steps = "1 step" if count == 1 else f"{count} steps"
    if best:
        return best[-1], f"best of {steps}: {best[-1].path.name}"
    return series[-1], f"last of {steps}, none is marked best: {series[-1].path.name}"


def _single(
    path: Path, kind: Kind, manifest: Manifest, step: int | None, below: list[SeriesStep], sidecars: Sidecars
) -> Located:
    """A checkpoint that was named itself, as a step of the series that it lies in, if it lies in one."""
    if path.is_file() and kind not in _ONE_FILE:
        path = path.parent
    series, steps = _series_around(path, kind, manifest, sidecars)
    own = next((item for item in steps if _is_step(item, path)), None)
    sidecar = sidecars.of(path)
    known = _first_known(step_in_name(path.name), sidecar.step, None if own is None else own.step)
    if step is not None and known != step:
        there = "no step is known of it" if known is None else f"it is step {known}"
        raise CheckpointError(f"{path}: there is no step {step} ({there})")
    which = "the 1 step" if len(below) == 1 else f"one of the {len(below)} steps"
    notes = (f"the folder's own weights, not {which} below it",) if below else ()
    weights = main_file(path) if kind in _ONE_FILE else path
    return Located(kind, weights, known, sidecar.val_loss, notes, series, tuple(steps))


def _series_around(
    path: Path, kind: Kind, manifest: Manifest, sidecars: Sidecars
) -> tuple[Path | None, list[SeriesStep]]:
    """The folder of the series that a checkpoint is a step of, and its steps; a step may be a folder with a file."""
    for folder in _folders_of_series(path.resolve(), kind):
        steps = find_series(folder, manifest, sidecars)
        if any(_is_step(item, path) for item in steps):
            return folder, steps
    return None, []


def _folders_of_series(path: Path, kind: Kind) -> Iterator[Path]:
    """Where a series that it is a step of may lie: a folder around one weight file only if its name says so."""
    if path.is_file() or kind != "weights" or is_step_name(path.name):
        yield path.parent
    if path.is_file() and is_step_name(path.parent.name):
        yield path.parent.parent


def _is_step(item: SeriesStep, path: Path) -> bool:
    return _same(item.path, path) or _same(main_file(item.path), path)


def _first_known(*steps: int | None) -> int | None:
    return next((step for step in steps if step is not None), None)


def _nothing_here(path: Path) -> str:
    if path.is_file():
        return f"{path}: is not a checkpoint ({_LOOKED_FOR})"
    files = _files_of_one_form(path)
    if len(files) > 1:
        listed = ", ".join(file.name for file in files[:5])
        return f"{path}: holds {len(files)} weight files and no step in their names ({listed}): give the path of one"
    if not path.exists():
        return f"{path}: no such file or folder"
    if advice := what_to_do(path):
        return f"{path}: holds no weights as they are, but {advice}"
    if not any(path.iterdir()):
        return f"{path}: the folder is empty ({_LOOKED_FOR})"
    return f"{path}: holds no checkpoint ({_LOOKED_FOR})"
