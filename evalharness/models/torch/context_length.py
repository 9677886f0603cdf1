"""How long an input a model takes, found before a run depends on it.

What a configuration says comes first, then how many positions have an embedding. A model that says neither is tried at
growing lengths, which takes a few forward passes of one row.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import nn

    from evalharness.models.torch.model import Forward, Shape

LONGEST_TRIED = 4096
MOST_TRIAL_S = 3.0
"""Longer inputs are tried until so much time has gone; the next one takes two to four times as long."""
_FIRST_TRIED = 16

# The names under which modules, configurations and training scripts keep the longest input.
_NAMES = (
    "max_position_embeddings",
    "n_positions",
    "context_length",
    "block_size",
    "max_seq_len",
    "max_sequence_length",
    "max_seq_length",
    "seq_len",
    "sequence_len",
    "n_ctx",
    "context_size",
    "context_window",
    "ctx_len",
    "max_len",
)


@dataclass(frozen=True, slots=True)
class Context:
    """The longest input in tokens, None where no limit is known, and a note on how it was found."""

    length: int | None
    notes: tuple[str, ...] = ()


def find_context(
    module: nn.Module, forward: Forward, shape: Shape, *, manifest: int | None, args: Mapping[str, Any]
) -> Context:
    """The manifest's ``context_length``, else what is said or shown by the module, or by the factory's ``args``."""
    said = context_length_of(module)
    if manifest is not None:
        note = f"context_length {manifest} of the manifest; the module itself says {said}"
        return Context(manifest, () if said in {None, manifest} else (note,))
    rows = shape.position_rows
    if rows is not None and (said is None or rows < said):
        return Context(rows, (f"the context is {rows} tokens: so many positions have an embedding",))
    said = said or named_in(args)
    if said is not None:
        return Context(said)
    if _device(module).type != "cpu":
        # An index that is out of range ends the use of an accelerator, not only the call.
        return Context(None, ("the context length is not known; context_length in the manifest sets it",))
    return _tried(lambda length: _runs(module, forward, length))


def context_length_of(module: nn.Module) -> int | None:
    """Return the longest input in tokens that a module says it takes, of its configuration or its attributes."""
    config: Any = getattr(module, "config", None)
    text_config = config.get_text_config() if hasattr(config, "get_text_config") else None
    return next((length for owner in (text_config, config, module) if (length := named_in(owner)) is not None), None)


def named_in(owner: Any) -> int | None:
    """The longest input that a mapping or an object has under one of the usual names."""
    for name in _NAMES:
        value = owner.get(name) if isinstance(owner, dict) else getattr(owner, name, None)
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return value
    return None


def _tried(runs: Callable[[int], bool]) -> Context:
    """The longest of growing lengths that runs, where one that is longer by a token fails."""
    begun, works, longer = time.monotonic(), 0, _FIRST_TRIED
    while runs(longer):
        works, longer = longer, 2 * longer
        if longer > LONGEST_TRIED or time.monotonic() - begun > MOST_TRIAL_S:
            return Context(None, (f"no limit of the context length is known; inputs of {works} tokens run",))
    while longer - works > 1:
        between = (works + longer) // 2
        works, longer = (between, longer) if runs(between) else (works, between)
    # A model that takes some lengths and not others has no limit that this finds.
    if works < 2 or not all(runs(length) for length in (works // 2 + 1, works - 1)):
        return Context(None, ("the context length is not known; context_length in the manifest sets it",))
    return Context(works, (f"the context is {works} tokens: the model fails on inputs of {works + 1}",))


def _runs(module: nn.Module, forward: Forward, length: int) -> bool:
    ids = torch.zeros((1, length), dtype=torch.int64, device=_device(module))
    try:
        with torch.no_grad():
            forward(module, ids)
    except Exception:  # noqa: BLE001 - the user's code: whatever it raises, this length does not run
        return False
    return True


def _device(module: nn.Module) -> torch.device:
    for tensor in (*module.parameters(), *module.buffers()):
        return tensor.device
    return torch.device("cpu")
