"""What a user says of a log under ``[log]``, where its names tell too little or too much."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from evalharness.errors import LogError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Role = Literal["step", "train", "validation"]
ROLES: tuple[Role, ...] = ("step", "train", "validation")


@dataclass(frozen=True, slots=True)
class LogKeys:
    """The columns of step and losses, or what stands before these figures in a line; None is found by name or form.

    Each may also be a regular expression with the named groups ``step``, ``train`` and ``validation``, which is sought
    in every line. ``run`` is the one to read of several in a file. ``bytes_per_token`` converts bits per byte.
    ``iterations_per_step``: its steps are iterations, and so many of them are one step of the optimizer.
    """

    step: str | None = None
    train: str | None = None
    validation: str | None = None
    run: str | None = None
    bytes_per_token: float | None = None
    iterations_per_step: int | None = None

    def named(self) -> Iterator[tuple[Role, str]]:
        """Each role that has a name, with it."""
        for role in ROLES:
            if name := getattr(self, role):
                yield role, name

    def patterns(self) -> list[re.Pattern[str]]:
        """The regular expressions among them. Raises :class:`LogError` where one is none, or names other groups."""
        return [_compiled(role, text) for role, text in self.named() if "(?P<" in text]

    def name(self, role: Role, names: Iterable[str], where: object) -> str | None:
        """The name of a role as the log spells it; None without one. Raises :class:`LogError` if the log has none such.

        ``where`` is the log, for the message.
        """
        wanted = getattr(self, role)
        if wanted is None:
            return None
        names = list(names)
        alike = [name for name in names if name == wanted] or [n for n in names if n.lower() == wanted.lower()]
        if not alike:
            there = ", ".join(map(repr, names))
            raise LogError(f"{where}: [log] {role} = {wanted!r} is none of its names: {there}")
        return alike[0]


NO_KEYS = LogKeys()


def _compiled(role: str, text: str) -> re.Pattern[str]:
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise LogError(f"[log] {role} = {text!r} is no regular expression: {error}") from error
    if unknown := pattern.groupindex.keys() - set(ROLES):
        raise LogError(f"[log] {role}: no group may be named {min(unknown)!r}; there are {', '.join(ROLES)}")
    return pattern
