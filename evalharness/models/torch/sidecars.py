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
BITS_KEYS = ("val_bpb", "eval_bpb", "best_val_bpb")
TRAINER_STATE = "trainer_state.json"

_LOSS_NAME = re.compile(r"(?:val|valid|validation|eval)[_/-]?loss(?:[_/]epoch)?")
_LOSS_IN_NAME = re.compile(rf"(?:^|[^a-zA-Z]){_LOSS_NAME.pattern}[=_-]?(\d+\.\d+)")
_REWARDS = ("rewards/", "eval_rewards/", "eval_logps/", "logps/")
"""Beside these keys a loss is that of preferences."""
_SIZE_LIMIT_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Sidecar:
    """What is known beside the weights. ``val_loss`` is in nats per token, as it was logged; some log bits per byte."""

    step: int | None = None
    val_loss: float | None = None
    val_bits_per_byte: float | None = None


class Sidecars:
    """The sidecars that one search meets; each file is read once, however many checkpoints ask for it."""

    def __init__(self) -> None:
        self._known: dict[Path, dict[str, Any]] = {}

    def of(self, path: Path) -> Sidecar:
        """What lies beside a weight file (``meta_000500.json``) or in a folder (``trainer_state.json``).

        A sidecar that is missing or broken says nothing; it is never an error.
        """
        if path.is_dir() and (state := self.values(path / TRAINER_STATE)):
            return _of_trainer_state(state)
        for candidate in _candidates(path):
            if values := self.values(candidate):
                return sidecar_of(values)
        return Sidecar()

    def values(self, file: Path) -> dict[str, Any]:
        """The object in a file; an empty one where there is none."""
        file = file.resolve()
        if file not in self._known:
            self._known[file] = _read(file)
        return self._known[file]

    def best_of(self, folder: Path, members: Iterable[Path]) -> Path | None:
        """The member that ``best_model_checkpoint`` names, in the newest ``trainer_state.json`` of the folder."""
        members = list(members)
        places = (folder, *(member for member in members if member.is_dir()))
        states = [state for place in places if (state := self.values(place / TRAINER_STATE))]
        if not states:
            return None
        newest = max(states, key=lambda state: state.get("global_step") or 0)
        best = newest.get("best_model_checkpoint")
        # The path may come from another machine: only its last part is compared.
        name = re.split(r"[\\/]", best.rstrip("\\/"))[-1] if isinstance(best, str) and best else None
        return next((member for member in members if member.name == name), None)


def sidecar_of(values: Mapping[str, Any]) -> Sidecar:
    """Pick step and validation loss from any mapping that has them under one of the usual keys."""
    step = next((values[key] for key in STEP_KEYS if _is_whole(values.get(key))), None)
    loss = _first_number(values, LOSS_KEYS)
    return Sidecar(step, _of_callbacks(values) if loss is None else loss, _first_number(values, BITS_KEYS))


def _of_callbacks(values: Mapping[str, Any]) -> float | None:
    """The validation loss that Lightning's callback of checkpoints saw when it saved this one."""
    callbacks = values.get("callbacks")
    states = callbacks.values() if isinstance(callbacks, dict) else ()
    watching = [s for s in states if isinstance(s, dict) and _LOSS_NAME.fullmatch(str(s.get("monitor")))]
    return next((loss for s in watching if (loss := _number(s.get("current_score"))) is not None), None)


def loss_in_name(name: str) -> float | None:
    """``epoch=3-val_loss=1.23.ckpt``: as many digits as the name has."""
    match = _LOSS_IN_NAME.search(name)
    return float(match[1]) if match else None


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
    rows = [row for row in rows if not any(key.startswith(_REWARDS) for key in row)]
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


def _first_number(values: Mapping[str, Any], keys: Iterable[str]) -> float | None:
    return next((number for key in keys if (number := _number(values.get(key))) is not None), None)


def _number(value: Any) -> float | None:
    """A Python number, or what a tensor of one element holds."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    if getattr(value, "numel", lambda: 0)() == 1:
        return float(value.item())
    return None
