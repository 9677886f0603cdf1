"""Names that settings had in earlier versions, and what they are called now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def renamed(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a score by today's names: ``mbpp`` became ``problem_paths={"mbpp": …}``."""
    if settings.get("mbpp") is None:
        return {name: value for name, value in settings.items() if name != "mbpp"}
    paths = {"mbpp": settings["mbpp"], **(settings.get("problem_paths") or {})}
    return {**{name: value for name, value in settings.items() if name != "mbpp"}, "problem_paths": paths}
