"""A module in evaluation mode, or in training mode without its dropout, and afterwards exactly as it was."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Evaluation mode, the random numbers kept for the training that comes after."""
    with _as_before(module):
        module.eval()
        yield


@contextmanager
def training_without_dropout(module: nn.Module) -> Iterator[None]:
    """Training mode, with every probability of dropout at zero: of the layers, and of functional calls that read one.

    An attribute that is called dropout and is a number is taken for one (``self.dropout``, ``attention_dropout``).
    What is drawn at random all the same is drawn alike in every pass, so that two of them can be compared.
    """
    with _as_before(module), _drawing_alike(module):
        module.train()
        changed: list[tuple[object, str, float]] = []
        for part in module.modules():
            for owner in (part, getattr(part, "config", None)):
                for name, value in list(vars(owner).items()) if hasattr(owner, "__dict__") else []:
                    is_probability = isinstance(value, float) and 0 < value <= 1
                    if is_probability and (_is_dropout(part) if name == "p" else "drop" in name.lower()):
                        changed.append((owner, name, value))
                        setattr(owner, name, 0.0)
        try:
            yield
        finally:
            for owner, name, value in reversed(changed):
                setattr(owner, name, value)


@contextmanager
def _drawing_alike(module: nn.Module) -> Iterator[None]:
    def seed(_module: nn.Module, _given: tuple[Any, ...]) -> None:
        torch.manual_seed(0)

    handle = module.register_forward_pre_hook(seed)
    try:
        yield
    finally:
        handle.remove()


def _is_dropout(part: nn.Module) -> bool:
    return "dropout" in type(part).__name__.lower()


@contextmanager
def _as_before(module: nn.Module) -> Iterator[None]:
    """Modes, buffers (running statistics) and the random state are put back."""
    modes = [(part, part.training) for part in module.modules()]
    buffers = [(buffer, buffer.clone()) for buffer in module.buffers()]
    devices = {p.device for p in module.parameters() if p.device.type == "cuda"}
    try:
        with torch.random.fork_rng(devices=sorted(devices, key=str)):
            yield
    finally:
        for part, training in modes:
            part.training = training
        with torch.no_grad():
            for buffer, value in buffers:
                if buffer.shape == value.shape and not torch.equal(buffer, value):
                    buffer.copy_(value)
