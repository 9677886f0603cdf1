"""The small JSON files that trainers write beside a checkpoint: its step, its validation loss, which one was best."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

STEP_KEYS = ("step", "global_step", "iter_num", "iteration", "epoch")
LOSS_KEYS = ("val_loss", "eval_loss", "best_val_loss")

_SIZE_LIMIT_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Sidecar:
    """What is known beside the weights. ``val_loss`` is in nats a token, as it was logged."""

    step: int | None = None
    val_loss: float | None = None


def read_sidecar(path: Path) -> Sidecar:
    """Read what lies beside a weight file (``meta_000500.json``) or in a folder (``trainer_state.json``).

    A sidecar that is missing or broken says nothing; it is never an error.
    """
    if path.is_dir():
        state = _read(path / "trainer_state.json")
        if state:
            return _of_trainer_state(state)
    for candidate in _candidates(path):
        if values := _read(candidate):
            return sidecar_of(values)
    return Sidecar()


def sidecar_of(values: Mapping[str, Any]) -> Sidecar:
    """Pick step and validation loss from any mapping that has them under one of the usual keys."""
    step = next((values[key] for key in STEP_KEYS if _is_whole(values.get(key))), None)
    loss = next((number for key in LOSS_KEYS if (number := _number(values.get(key))) is not None), None)
    return Sidecar(step, loss)


def best_in_trainer_state(folder: Path, members: Iterable[Path]) -> Path | None:
    """Return the member that ``best_model_checkpoint`` names, of the folder's newest ``trainer_state.json``."""
    members = list(members)
    states = [folder, *members]
    read = [state for place in states if (state := _read(place / "trainer_state.json"))]
    if not read:
        return None
    newest = max(read, key=lambda state: state.get("global_step") or 0)
    best = newest.get("best_model_checkpoint")
    # The path may come from another machine: only its last part is compared.
    name = re.split(r"[\\/]", best.rstrip("\\/"))[-1] if isinstance(best, str) and best else None
    return next((member for member in members if member.name == name), None)


def _candidates(path: Path) -> Iterator[Path]:
    if path.is_dir():
        yield from (path / name for name in ("meta.json", "metadata.json", "step.json"))
        return
    yield path.with_suffix(".json")
    if match := re.search(r"_(\d+)$", path.stem):
        yield path.parent / f"meta_{match.group(1)}.json"


def _of_trainer_state(state: Mapping[str, Any]) -> Sidecar:
    step = state.get("global_step")
    rows = [row for row in state.get("log_history") or [] if isinstance(row, dict) and row.get("step") == step]
    losses = [loss for row in rows if (loss := _number(row.get("eval_loss"))) is not None]
    return Sidecar(step if _is_whole(step) else None, losses[-1] if losses else None)


def _read(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _SIZE_LIMIT_BYTES:
            return {}
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _number(value: Any) -> float | None:
    """A Python number, or what a tensor of one element holds."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    if getattr(value, "numel", lambda: 0)() == 1:
        return float(value.item())
    return None
