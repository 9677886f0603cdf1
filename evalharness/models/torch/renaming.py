"""Names of tensors in a file and in a module: the same ones, but for what a wrapper put before or between them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from torch import Tensor

    Fits = Callable[[Mapping[str, Tensor]], bool]

# What torch.compile, DDP, FSDP and activation checkpointing put between the parts of a name.
_WRAPPERS = frozenset({"_orig_mod", "module", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"})


@dataclass(frozen=True, slots=True)
class DifferingPart:
    """How names begin ``here``, where names that are otherwise the same begin with ``there``."""

    here: str
    there: str

    def replaced(self, name: str) -> str:
        """The name as it would be there."""
        return self.there + name.removeprefix(self.here) if name.startswith(self.here) else name


def differing_part(names: Sequence[str], others: Sequence[str]) -> DifferingPart | None:
    """The one part by which all ``others`` differ from names of a file; None if no such part explains all of them.

    >>> differing_part(["model.language_model.layers.0.weight"], ["model.layers.0.weight"])
    DifferingPart(here='model.language_model.', there='model.')
    """
    for name in names if others else ():
        part = _beginnings_of(name.split("."), others[0].split("."))
        if part is not None and set(others) <= {part.replaced(name) for name in names if name.startswith(part.here)}:
            return part
    return None


def _beginnings_of(parts: Sequence[str], others: Sequence[str]) -> DifferingPart | None:
    """How two names begin that end alike; None if they are of different layers, or their ends name no layer."""
    ends = zip(reversed(parts), reversed(others), strict=False)
    alike = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], ends))
    here, there = parts[: len(parts) - alike], others[: len(others) - alike]
    if any(map(str.isdigit, (*here, *there))) or not any(map(str.isdigit, parts[len(here) :])):
        return None
    return DifferingPart(*("".join(f"{part}." for part in beginning) for beginning in (here, there)))


def plain_name(name: str) -> str:
    """Return a parameter's name without the parts that wrappers added.

    >>> plain_name("module._orig_mod.layers.0._orig_mod.weight")
    'layers.0.weight'
    """
    return ".".join(part for part in name.split(".") if part not in _WRAPPERS)


def renamed(state: Mapping[str, Tensor], own: Mapping[str, Tensor], fits: Fits) -> tuple[dict[str, Tensor], str]:
    """Give a file's tensors the module's names ``own``, and a note if a prefix had to change for that.

    The names differ by known wrappers, or by one prefix of all of them (``model.``). ``fits`` tells whether every name
    and shape is as the module has it. If nothing fits, only the known wrappers are taken off.
    """
    plain = _without_wrappers(state, own)
    if fits(plain):
        return plain, ""
    for strip in _prefixes(plain):
        for add in _prefixes(own):
            inside = {
                add + name.removeprefix(strip): tensor for name, tensor in plain.items() if name.startswith(strip)
            }
            outside = [name for name in plain if not name.startswith(strip)]
            # A loss or a metric beside the model has some numbers of its own; a matrix would be part of a model.
            if fits(inside) and all(plain[name].dim() < 2 for name in outside):
                return inside, _note(strip, add, outside)
    return plain, ""


def _without_wrappers(state: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Give the tensors the module's names: the same one where there is one, else the one that differs by wrappers."""
    by_plain_name: dict[str, list[str]] = {}
    for name in own:
        by_plain_name.setdefault(plain_name(name), []).append(name)
    taken: dict[str, Tensor] = {}
    for name, tensor in state.items():
        matches = by_plain_name.get(plain_name(name), [])
        target = name if name in own or len(matches) != 1 or matches[0] in state else matches[0]
        # Two names of the file for one of the module: the second stays as it is and is reported as unexpected.
        taken[name if target in taken else target] = tensor
    return taken


def _prefixes(names: Iterable[str]) -> list[str]:
    """No prefix, and those that half of the names or more begin with, the shortest first."""
    names = list(names)
    counts = Counter(prefix for name in names for prefix in _beginnings(name))
    return ["", *sorted((prefix for prefix, count in counts.items() if 2 * count >= len(names)), key=len)]


def _beginnings(name: str) -> Iterator[str]:
    parts = name.split(".")
    yield from (".".join(parts[:count]) + "." for count in range(1, len(parts)))


def _note(strip: str, add: str, outside: list[str]) -> str:
    changed = f"{strip!r} becomes {add!r}" if strip and add else f"{strip or add!r}"
    verb = "replaced" if strip and add else "taken off" if strip else "added"
    prefix = f"prefix of the file's names {verb}: {changed if strip and add else repr(strip or add)}"
    return prefix + (f"; left out: {', '.join(outside[:3])}" if outside else "")
