"""Gated layers, ``down(act(gate(x)) * up(x))`` (Shazeer 2020), whose two projections stand in each other's place."""

from __future__ import annotations

from functools import partial
from itertools import combinations
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from evalharness.diagnosis.repair import Repair
from evalharness.diagnosis.trials.swapping import changed_outputs, swapped_attributes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalharness.diagnosis.subject import Subject

NAMES = ("gate", "up", "w1", "w3", "fc1", "wi", "c_fc", "dense_h_to_4h", "linear1", "w12")
"""In lower case, what is in the names of such projections."""


def repairs(subject: Subject) -> Iterator[Repair]:
    """Two projections of one shape exchanged, or the halves of a fused one."""
    module = subject.torch_model.module
    pairs = [pair for path, part in module.named_modules() for pair in _pair(path, part)]
    if pairs:
        values = {path: module.get_submodule(other) for pair in pairs for path, other in (pair, pair[::-1])}
        yield _exchanged(
            f"`{pairs[0][0]}` and `{pairs[0][1]}`", pairs[0][0], partial(swapped_attributes, values=values)
        )
    fused = [path for layer, part in module.named_modules() for path in _fused(layer, part)]
    if fused:
        change = partial(changed_outputs, changes=dict.fromkeys(fused, _halves_exchanged))
        yield _exchanged(f"the halves of `{fused[0]}`", fused[0], change)


def _exchanged(pair: str, place: str, change: Any) -> Repair:
    return Repair(
        kind="gated_layers",
        words=f"{pair} exchanged in every gated layer",
        place=place,
        remedy=(
            f"Exchange {pair} in every layer, in the file or in the code: the activation has to be applied to the "
            "projection that was the gate in training."
        ),
        change=change,
        sharp=True,
    )


def _halves_exchanged(output: Tensor) -> Tensor:
    return output.roll(output.shape[-1] // 2, dims=-1)


def _pair(path: str, part: nn.Module) -> Iterator[tuple[str, str]]:
    """The two projections that a third one's inputs have the width of."""
    linear = _projections(part)
    for (name, one), (other, two) in combinations(linear.items(), 2):
        alike = one.weight.shape == two.weight.shape and _is_named(name) and _is_named(other)
        if alike and any(_inputs(third) == _outputs(one) for third in linear.values() if third not in (one, two)):
            yield f"{path}.{name}".lstrip("."), f"{path}.{other}".lstrip(".")
            return


def _fused(path: str, part: nn.Module) -> Iterator[str]:
    """A projection to twice the width that another one takes."""
    linear = _projections(part)
    for name, one in linear.items():
        if _is_named(name) and any(
            _outputs(one) == 2 * _inputs(other) for other in linear.values() if other is not one
        ):
            yield f"{path}.{name}".lstrip(".")
            return


def _projections(part: nn.Module) -> dict[str, Any]:
    return {name: child for name, child in part.named_children() if isinstance(child, nn.Linear)}


def _is_named(name: str) -> bool:
    return any(known in name.lower() for known in NAMES)


def _inputs(projection: nn.Linear) -> int:
    return projection.weight.shape[1]


def _outputs(projection: nn.Linear) -> int:
    return projection.weight.shape[0]
