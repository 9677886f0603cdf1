"""The user's own ``generate``, called as it wants to be called, so that it writes greedily."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import torch

from evalharness.errors import CheckpointError, EvaluationError
from evalharness.models.torch.error_text import first_line
from evalharness.settings.manifest import is_code_spec

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import nn

    from evalharness.models.torch.factory import UserCode, UserObject

    Write = Callable[[Sequence[int], int], tuple[int, ...]]

GREEDY: dict[str, Any] = {"do_sample": False, "top_k": 1, "greedy": True}
"""What makes a function write greedily, by the names of its parameters; of these the first that it has is given."""


def own_generate(spec: str, code: UserCode, module: nn.Module) -> tuple[Write, UserObject | None]:
    """What ``[model] generate`` names, as a function of a prompt's ids and a number of new tokens: the ids it writes.

    ``models.py:generate`` is called as ``generate(model, ids, max_new_tokens)``; a plain name is a method of the
    module. ``ids`` are int64 of shape ``(1, length)``; new ids come back, alone or after the prompt. Raises
    CheckpointError where there is no such function.
    """
    user_object = code.load(spec, "generate") if is_code_spec(spec) else None
    function = getattr(module, spec, None) if user_object is None else user_object.value
    if not callable(function):
        expected = "a function (models.py:generate) or the name of a method of the model"
        raise CheckpointError(f"generate = {spec!r}: {type(function).__name__}, expected {expected}")
    first = () if user_object is None else (module,)
    greedy = _greedy_arguments(function)

    def write(prompt: Sequence[int], new_tokens: int) -> tuple[int, ...]:
        device = next((p.device for p in module.parameters()), torch.device("cpu"))
        try:
            with torch.no_grad(), code.running():
                given = function(*first, torch.tensor([list(prompt)], device=device), new_tokens, **greedy)
        except Exception as error:
            raise EvaluationError(f"generate = {spec!r} fails on {len(prompt)} ids: {first_line(error)}") from error
        return _new_ids(given, prompt, new_tokens, spec)

    return write, user_object


def _greedy_arguments(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        parameters = inspect.signature(function).parameters
    except ValueError:
        return {}
    return next(({name: value} for name, value in GREEDY.items() if name in parameters), {})


def _new_ids(given: Any, prompt: Sequence[int], new_tokens: int, spec: str) -> tuple[int, ...]:
    """The ids after the prompt. Raises EvaluationError for anything but ids."""
    listed = given.tolist() if hasattr(given, "tolist") else given
    while isinstance(listed, (list, tuple)) and len(listed) == 1 and isinstance(listed[0], (list, tuple)):
        listed = listed[0]
    if not isinstance(listed, (list, tuple)) or not all(isinstance(item, int) for item in listed):
        raise EvaluationError(
            f"generate = {spec!r} returns a {type(given).__name__}, expected ids of shape (1, length)"
        )
    ids = tuple(listed)
    return (ids[len(prompt) :] if ids[: len(prompt)] == tuple(prompt) else ids)[:new_tokens]
