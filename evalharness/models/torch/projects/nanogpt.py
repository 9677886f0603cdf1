"""nanoGPT: ``ckpt.pt`` with ``model_args``, and ``model.py`` in a folder above it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalharness.models.torch.projects.beside_model import from_model_file
from evalharness.models.torch.projects.proposal import existing

if TYPE_CHECKING:
    from pathlib import Path

    from evalharness.models.torch.projects.proposal import Place, Proposal, Saved

PROJECT = "nanoGPT"
PRIORITY = 20

_GPT2 = "gpt2"
_CHARACTERS = "meta.pkl"


def propose(place: Place) -> Proposal | None:
    """The arguments are ``model_args``; the characters are those of the data set that ``config`` names."""
    args = place.saved.get("model_args")
    if not isinstance(args, dict) or "n_embd" not in args:
        return None
    data = _data_folder(place)
    characters = None if data is None else data / _CHARACTERS
    if characters is None or not characters.is_file():
        characters = place.find("tokenizer.json")
    train, validation = (None if data is None else existing(data / name) for name in ("train.bin", "val.bin"))
    return from_model_file(place, PROJECT, args, tokenizer=str(characters or _GPT2), train=train, validation=validation)


def _data_folder(place: Place) -> Path | None:
    config: Saved = place.saved.get("config") or {}
    name = config.get("dataset")
    return place.find(f"data/{name}") if isinstance(name, str) else None
