"""nanochat: ``model_000500.pt`` with ``meta_000500.json`` beside it, and the package ``nanochat``.

What its base models are trained on are shards of documents: the last is its validation.
"""

from __future__ import annotations

import re
from importlib.util import find_spec
from typing import TYPE_CHECKING

from evalharness.errors import CheckpointError
from evalharness.models.torch.projects.proposal import Proposal

if TYPE_CHECKING:
    from pathlib import Path

    from evalharness.models.torch.projects.proposal import Place

PROJECT = "nanochat"
PRIORITY = 10

_NAME = re.compile(r"model_(\d+)\.pt")
_BEGIN = "<|bos|>"
_OF_BASE = "base_checkpoints"
# Models from before the sliding windows have none, and say nothing of it.
_BEFORE_WINDOWS = {"window_pattern": "L"}


def propose(place: Place) -> Proposal | None:
    """The arguments are ``model_config`` of the meta file; every document begins with ``<|bos|>``."""
    named = _NAME.fullmatch(place.weights.name)
    meta = place.beside(f"meta_{named[1]}.json") if named else {}
    config = meta.get("model_config")
    if not isinstance(config, dict):
        return None
    code = place.find("nanochat/gpt.py")
    if code is None and find_spec("nanochat") is None:
        listed = ", ".join(map(str, place.folders))
        raise CheckpointError(
            f"{place.weights}: a checkpoint of {PROJECT}, whose code is neither installed nor in {listed}: "
            f"work in the folder of {PROJECT}, or name it: [model] factory"
        )
    windows = _BEFORE_WINDOWS if code is not None and "window_pattern" in code.read_text(encoding="utf-8") else {}
    tokenizer = place.find("tokenizer/tokenizer.pkl", "tokenizer/tokenizer.json", "tokenizer.pkl", "tokenizer.json")
    shards = _shards(place)
    return Proposal(
        project=PROJECT,
        folder=place.weights.parent if code is None else code.parents[1],
        factory="nanochat.gpt:GPT",
        args={**windows, **config},
        tokenizer=None if tokenizer is None else str(tokenizer),
        begin_token=_BEGIN,
        train=next(iter(shards[:-1]), None),
        validation=next(iter(shards[-1:]), None),
        needs_trust=code is not None,
    )


def _shards(place: Place) -> list[Path]:
    """The documents of the base model; a chat model is trained on others."""
    folder = place.find("base_data_climbmix", "base_data")
    if folder is None or _OF_BASE not in place.weights.parts:
        return []
    return sorted(folder.glob("*.parquet"))
