"""What litgpt's own record of a run, ``hyperparameters.yaml``, says of the data and of their length."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evalharness.models.torch.projects.proposal import existing

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from evalharness.models.torch.projects.proposal import Place

HYPERPARAMETERS = "hyperparameters.yaml"
_ROWS, _TEXT = "JSON", "TextFiles"
_SUFFIXES = (".json", ".jsonl")
_FRACTION, _SEED = 0.05, 42
"""litgpt's own defaults."""


@dataclass(frozen=True, slots=True)
class TrainedOn:
    """Files of data as they are named in a manifest; ``context_length`` is that of pre-training.

    ``notes`` say why none is named where there is one.
    """

    train: Path | None = None
    validation: Path | None = None
    context_length: int | None = None
    notes: tuple[str, ...] = ()


def trained_on(place: Place, values: Mapping[str, Any]) -> TrainedOn:
    """The data of ``--data JSON`` in a folder and of ``--data TextFiles``; others are downloads of litgpt's own.

    A single JSON file, which litgpt splits at random, is not proposed: its parts lie nowhere.
    """
    data = values.get("data")
    if not isinstance(data, dict) or not isinstance(given := data.get("init_args"), dict):
        return TrainedOn()
    kind = str(data.get("class_path")).rpartition(".")[2]
    if kind == _ROWS and (folder := _folder(place, given.get("json_path"))):
        return TrainedOn(_rows(folder, "train"), _rows(folder, "val"))
    if kind == _ROWS and (file := _file(place, given.get("json_path"))):
        return TrainedOn(notes=(_split_note(file, given),))
    if kind == _TEXT and (folder := _folder(place, given.get("train_data_path"))):
        return _text(folder, _folder(place, given.get("val_data_path")), values)
    return TrainedOn()


def _text(folder: Path, validation: Path | None, values: Mapping[str, Any]) -> TrainedOn:
    """Without a folder for validation the first of the files is held out."""
    train, held_out = (sorted(place.glob("*.txt")) for place in (folder, validation or folder))
    files = train if validation else train[1:]
    options = values.get("train")
    length = options.get("max_seq_length") if isinstance(options, dict) else None
    is_from_scratch = values.get("initial_checkpoint_dir") is None
    return TrainedOn(next(iter(files), None), next(iter(held_out), None), length if is_from_scratch else None)


def _rows(folder: Path, name: str) -> Path | None:
    return next((file for suffix in _SUFFIXES if (file := existing(folder / f"{name}{suffix}"))), None)


def _split_note(file: Path, given: Mapping[str, Any]) -> str:
    fraction, seed = given.get("val_split_fraction") or _FRACTION, given.get("seed", _SEED)
    return (
        f"litgpt split {file.name} at random (val_split_fraction {fraction:g}, seed {seed}) and kept no part: write "
        "the parts and name them under [data] train and validation"
    )


def _file(place: Place, path: Any) -> Path | None:
    file = place.find(path) if isinstance(path, str) else None
    return file if file is not None and file.is_file() else None


def _folder(place: Place, path: Any) -> Path | None:
    """As it was named where training was started: somewhere above the checkpoint, or here."""
    folder = place.find(path) if isinstance(path, str) else None
    return folder if folder is not None and folder.is_dir() else None
