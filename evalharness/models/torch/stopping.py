"""A model that stops where the time is over: before a pass, never within one."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalharness.models.protocols import TorchModel
    from evalharness.progress.time_limit import TimeLimit


@contextlib.contextmanager
def stopped_by(limit: TimeLimit | None, *models: TorchModel | None) -> Iterator[None]:
    """Within the context a pass of ``models``, or of a copy of one, raises OutOfTime once the time is over.

    Without a limit, and for a model that has no module, nothing is changed.
    """
    if limit is None:
        yield
        return
    modules = [model.module for model in models if model is not None and "module" in model.capabilities]
    hooks = [module.register_forward_pre_hook(lambda *_: limit.check()) for module in modules]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
