"""Values that modules and their configurations keep under known names, which a forward pass may read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from torch import nn

CONFIGURATIONS = ("config", "cfg", "args", "params")
"""What modules call the configuration that they keep."""


def kept_values(module: nn.Module, names: Collection[str], *types: type) -> dict[str, Any]:
    """Values of exactly these types by their dotted paths. An object that several modules share counts once."""
    return {
        ".".join(filter(None, (path, name))): value
        for path, owner in _owners(module)
        for name in names
        if hasattr(owner, name) and type(value := getattr(owner, name)) in types and not _is_computed(owner, name)
    }


def _owners(module: nn.Module) -> Iterator[tuple[str, Any]]:
    """Every submodule and every configuration, with the first path that leads to it."""
    owners: dict[int, tuple[str, Any]] = {}
    for path, part in module.named_modules():
        for holder in ("", *CONFIGURATIONS):
            owner = vars(part).get(holder) if holder else part
            owners.setdefault(id(owner), (".".join(filter(None, (path, holder))), owner))
    yield from owners.values()


def _is_computed(owner: Any, name: str) -> bool:
    """Whether the value comes from a property, so that it can't be set."""
    return isinstance(getattr(type(owner), name, None), property)
