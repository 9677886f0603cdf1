"""One thing of a module changed for a while, in memory, and put back afterwards."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import FrozenInstanceError
from functools import partial, reduce
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager

    Change = Callable[[nn.Module], AbstractContextManager[None]]


def no_change(_module: nn.Module) -> AbstractContextManager[None]:
    """Change nothing."""
    return nullcontext()


def owner_of(module: nn.Module, path: str) -> tuple[Any, str]:
    """The object that holds what a dotted path names, a module or its configuration, and the last part of the path."""
    parent, _, name = path.rpartition(".")
    return reduce(getattr, filter(None, parent.split(".")), module), name


@contextmanager
def swapped_tensors(module: nn.Module, tensors: Mapping[str, Tensor]) -> Iterator[None]:
    """Put tensors in the place of parameters, buffers or plain attributes, by their dotted paths.

    A new object stands in each place, so that what was tied to it keeps its own values. Shapes may differ.
    """
    with ExitStack() as stack:
        for path, tensor in tensors.items():
            owner, name = owner_of(module, path)
            # Written to where torch looks, for an attribute that is a parameter can't be set to a plain tensor.
            table = next(t for t in (vars(owner)["_parameters"], vars(owner)["_buffers"], vars(owner)) if name in t)
            old = table[name]
            new = tensor.detach().to(device=old.device, dtype=old.dtype)
            is_parameter = isinstance(old, nn.Parameter)
            stack.callback(table.__setitem__, name, old)
            table[name] = nn.Parameter(new, requires_grad=False) if is_parameter else new
        yield


@contextmanager
def swapped_attributes(module: nn.Module, values: Mapping[str, Any]) -> Iterator[None]:
    """Set attributes of submodules, or replace submodules, by their dotted paths."""
    with ExitStack() as stack:
        for path, value in values.items():
            owner, name = owner_of(module, path)
            stack.callback(_set, owner, name, getattr(owner, name))
            _set(owner, name, value)
        yield


@contextmanager
def changed_outputs(module: nn.Module, changes: Mapping[str, Callable[[Tensor], Tensor]]) -> Iterator[None]:
    """Change what submodules return, by their dotted paths: as if rows, biases and adapters were changed alike."""
    with ExitStack() as stack:
        for path, change in changes.items():
            stack.callback(module.get_submodule(path).register_forward_hook(partial(_changed, change)).remove)
        yield


@contextmanager
def changed_inputs_and_outputs(
    module: nn.Module,
    inputs: Mapping[str, Callable[[Tensor], Tensor]],
    outputs: Mapping[str, Callable[[Tensor], Tensor]],
) -> Iterator[None]:
    """Change what submodules are given as well, by their dotted paths."""
    with changed_outputs(module, outputs), ExitStack() as stack:
        for path, change in inputs.items():
            hook = partial(_changed_before, change)
            stack.callback(module.get_submodule(path).register_forward_pre_hook(hook).remove)
        yield


def _changed(change: Callable[[Tensor], Tensor], _part: nn.Module, _given: Any, output: Tensor) -> Tensor:
    return change(output)


def _changed_before(change: Callable[[Tensor], Tensor], _part: nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...]:
    return (change(given[0]), *given[1:])


def _set(owner: Any, name: str, value: Any) -> None:
    """Also in a frozen dataclass: it is put back."""
    try:
        setattr(owner, name, value)
    except FrozenInstanceError:
        object.__setattr__(owner, name, value)
