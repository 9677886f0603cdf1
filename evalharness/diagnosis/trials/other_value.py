"""The repair that sets a value which modules and their configurations keep to another one."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from evalharness.diagnosis.repair import Repair
from evalharness.diagnosis.trials.swapping import swapped_attributes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

four_digits = "{:.4g}".format


def other_value(
    kept: Mapping[str, Any],
    value: Any,
    *,
    kind: str,
    set_to: Any = None,
    shown: Callable[[Any], str] = str,
    remedy: str = "",
    sharp: bool = False,
) -> Repair:
    """Set every place of ``kept`` (values by their dotted paths, at least one) to ``value``, named by the first place.

    ``value`` is what the configuration has to say. ``set_to`` is what modules are given, if that is another object.
    ``shown`` puts a value into words. Without a ``remedy`` it is to set the key as in training.
    """
    place, own = next(iter(kept.items()))
    key = place.rpartition(".")[2]
    return Repair(
        kind=kind,
        words=f"`{place}` = {shown(value)}",
        place=place,
        remedy=remedy or f"Set `{key}` to {shown(value)}, as in training: it is {shown(own)}.",
        all_or_nothing=True,
        change=partial(swapped_attributes, values=dict.fromkeys(kept, value if set_to is None else set_to)),
        settings={key: value},
        present={key: own},
        sharp=sharp,
    )
