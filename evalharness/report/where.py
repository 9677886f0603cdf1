"""Where a finding lies, from the fields of its evidence: a module and its line of code, or a key and its value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from evalharness.report.parts import Code, joined, marked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalharness.records import Finding
    from evalharness.report.parts import Span, Text

NAMED_PLACES = 3
"""Modules that are named; of more than these only their number is said."""


def where(finding: Finding) -> tuple[Span, ...]:
    """Return the place, empty if the evidence has none.

    ``place`` is a module with what is known of its code, or the key or path that a repair changes; ``present`` has the
    values that stand there by their keys, ``settings`` those that bring the logged loss back, ``file`` the file of the
    keys. ``modules`` are the paths of several modules.
    """
    evidence = finding.evidence
    place, modules, present = evidence.get("place"), evidence.get("modules"), evidence.get("present")
    if isinstance(place, Mapping):
        in_training = (", in training mode",) if evidence.get("mode") == "training" else ()
        return *joined(tuple(_in_code(place)), ", "), *in_training
    if isinstance(present, Mapping) and present:
        return _in_settings(present, evidence.get("settings") or {}, str(evidence.get("file") or ""))
    if isinstance(place, str):
        return marked(place)
    return _listed([str(path) for path in modules]) if isinstance(modules, (list, tuple)) else ()


def _in_code(place: Mapping[str, Any]) -> Iterator[Text]:
    """``blocks.0.mixer`` (Mixer), `softmax`, model.py:41."""
    if class_name := place.get("class_name"):
        yield (Code(str(place.get("module") or "forward")), f" ({class_name})")
    elif module := place.get("module"):
        yield Code(str(module))
    if operation := place.get("operation"):
        yield Code(str(operation))
    if source := place.get("source"):
        yield Code(str(source))


def _in_settings(present: Mapping[str, Any], wanted: Mapping[str, Any], file: str) -> tuple[Span, ...]:
    """``config.json``, ``rope_theta = 10000`` (``500000`` brings the logged loss back)."""
    changed = {key: value for key, value in present.items() if wanted.get(key, ...) != value}
    texts: list[Text] = [Code(file)] if file else []
    texts += [Code(f"{_last(key)} = {_value(value)}") for key, value in changed.items()]
    repaired = [Code(f"{_last(key)} = {_value(wanted[key])}") for key in changed if key in wanted]
    return *joined(texts, ", "), *((" (in training: ", *joined(repaired, ", "), ")") if repaired else ())


def _last(key: str) -> str:
    """The key as a file has it, without the tables that it may stand in; the path of an attribute is kept."""
    return key.removeprefix("rope_parameters.")


def _value(value: Any) -> str:
    """``500000`` as files have it, and no more digits of a fraction than tell it apart."""
    return f"{value:.7g}" if isinstance(value, float) else str(value)


def _listed(paths: list[str]) -> tuple[Span, ...]:
    more = len(paths) - NAMED_PLACES
    return *joined([Code(path) for path in paths[:NAMED_PLACES]], ", "), *([f" and {more:,} more"] if more > 0 else ())
