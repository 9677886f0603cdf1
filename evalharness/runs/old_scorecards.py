"""Scorecards of older versions, brought up to date as JSON objects, before they become records."""

from __future__ import annotations

from typing import Any


def upgraded(content: dict[str, Any]) -> dict[str, Any]:
    """The same scorecard in the newest version that it can be brought to; of an unknown version as it is."""
    return _from_4_to_5(content) if content["schema_version"] == 4 else content


def _from_4_to_5(content: dict[str, Any]) -> dict[str, Any]:
    """Version 4 has sentences only: which kind of reason they give, and of which stage they tell, is not recorded."""
    return {
        **content,
        "schema_version": 5,
        "protocol": _with_isolation(content["protocol"]),
        "not_testable": [{**item, "kind": "not_recorded"} for item in content["not_testable"]],
        "incomplete": [
            {"stage": "not_recorded", "probe": None, "reason": sentence} for sentence in content["incomplete"]
        ],
    }


def _with_isolation(protocol: dict[str, Any]) -> dict[str, Any]:
    """Version 4 writes ``A (what it consists of)``, or ``not run``."""
    rest = {name: value for name, value in protocol.items() if name != "isolation_lacks"}
    level, _, consists_of = protocol["isolation"].partition(" (")
    if level not in {"A", "B", "C", "D"}:
        return {**rest, "isolation": None}
    lacks = protocol["isolation_lacks"]
    return {**rest, "isolation": {"level": level, "consists_of": consists_of.removesuffix(")"), "lacks": lacks}}
