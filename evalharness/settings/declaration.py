"""How a setting is declared: once, as a field of a frozen dataclass, with everything that is derived from it.

::

    @dataclass(frozen=True, slots=True)
    class ScoreOptions:
        samples: int = setting(4, at_least=0, affects="score", help="Sampled completions per problem.")

From such a class come the options of the commands and of pytest, the environment's variables, the sections of the
manifest and their JSON schema, the signature of :func:`evalharness.score`, and every list of "the settings that
matter". Plain dataclasses, because ``--help`` has no time for pydantic, which checks the values (``values.py``).
"""

from __future__ import annotations

import dataclasses
import types
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin, get_type_hints

from evalharness.settings.amounts import Duration, Size

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Place = Literal["command", "pytest", "environment", "manifest", "python"]
EVERYWHERE: tuple[Place, ...] = ("command", "pytest", "environment", "manifest", "python")
Affects = Literal["completions", "score", "back_end"]
"""``completions``: another value makes other completions. ``score``: it chooses, counts or judges them differently.
``back_end``: it names what writes the completions, which then tells more of itself than the name."""

_DECLARED = "setting"


@dataclass(frozen=True, slots=True)
class Limits:
    """The range of a number, or of each number of a list."""

    at_least: float | None = None
    above: float | None = None
    at_most: float | None = None
    below: float | None = None

    @property
    def is_fraction(self) -> bool:
        """Whether the range ends at 1 or before, so that a percentage is a likely mistake."""
        return any(high is not None and high <= 1 for high in (self.at_most, self.below))

    def __str__(self) -> str:
        if self.at_least is not None and self.at_most is not None:
            return f"from {self.at_least:g} to {self.at_most:g}"
        if self.at_least is not None and self.below is None:
            return f"of {self.at_least:g} or more"
        low = f"above {self.above:g}" if self.above is not None else ""
        low = f"of at least {self.at_least:g}" if self.at_least is not None else low
        high = f"up to {self.at_most:g}" if self.at_most is not None else ""
        high = f"below {self.below:g}" if self.below is not None else high
        return " and ".join(filter(None, (low, high)))


@dataclass(frozen=True, slots=True)
class Declaration:
    """What the declaration of a setting says beside its name, type and default."""

    help: str = ""
    metavar: str | None = None
    without: str | None = None
    """What happens without a value, if the default does not say it."""
    affects: Affects | None = None
    held_equal: bool = False
    places: tuple[Place, ...] = EVERYWHERE
    limits: Limits = Limits()
    needs_one: bool = False
    names_or_paths: bool = False
    pattern: str | None = None
    """A regular expression that the whole text matches."""
    alone: str | None = None
    """The value that the option has without one; only a command's, for pytest would take the path that follows."""
    hint: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Setting:
    """One setting: everything that anything else wants to know of it."""

    name: str
    annotation: Any
    default: Any
    declared: Declaration

    @property
    def is_list(self) -> bool:
        """Whether it takes several values; one alone may be given without a list."""
        return get_origin(self.annotation) is tuple

    @property
    def is_flag(self) -> bool:
        """Whether it is either on or off."""
        return self.annotation is bool

    @property
    def item(self) -> Any:
        """The type of a value, or of each value of a list."""
        return get_args(self.annotation)[0] if self.is_list else self.annotation

    @property
    def is_path(self) -> bool:
        """Whether its values name files or folders of this machine."""
        return self.item in {Path, dict[str, Path]}

    @property
    def choices(self) -> tuple[str, ...]:
        """The only values, if there are few."""
        return get_args(self.item) if get_origin(self.item) is Literal else ()

    @property
    def default_text(self) -> str:
        """What is used if nothing is given, as the help shows it."""
        if self.default is None or self.declared.without is not None:
            return self.declared.without or ""
        if isinstance(self.default, tuple):
            return ",".join(map(str, self.default)) or "none"
        return ("on" if self.default else "off") if self.is_flag else str(self.default)

    @property
    def help(self) -> str:
        """The help of an option, with its default."""
        shown = self.default_text
        return self.declared.help + (f"  [{shown}]" if shown else "")

    @property
    def metavar(self) -> str:
        """What stands for the value in a help."""
        if self.declared.metavar or self.choices:
            return self.declared.metavar or "|".join(self.choices)
        name = {int: "N", float: "X", Path: "PATH", Duration: "TIME", Size: "SIZE"}.get(self.item, "TEXT")
        return f"{name},…" if self.is_list else name

    @property
    def option(self) -> str:
        """The option of the command line: ``--top-p``."""
        return f"--{self.name.replace('_', '-')}"

    @property
    def off_option(self) -> str:
        """The option that turns a flag off: ``--no-trust``, and ``--allow-collapse`` for ``no_collapse``."""
        name = self.name.replace("_", "-")
        return f"--allow-{name.removeprefix('no-')}" if name.startswith("no-") else f"--no-{name}"


def setting(
    default: Any = None,
    *,
    factory: Callable[[], Any] | None = None,
    at_least: float | None = None,
    above: float | None = None,
    at_most: float | None = None,
    below: float | None = None,
    **said: Any,
) -> Any:
    """Declare a setting; the rest of the arguments are those of :class:`Declaration`."""
    declared = Declaration(**said, limits=Limits(at_least, above, at_most, below))
    metadata = {_DECLARED: declared}
    if factory is not None:
        return dataclasses.field(default_factory=factory, metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


_KNOWN: dict[type, Mapping[str, Setting]] = {}


def settings_of(owner: type) -> Mapping[str, Setting]:
    """Every setting that a class declares, by its name, in order."""
    if owner not in _KNOWN:
        hints = get_type_hints(owner)
        _KNOWN[owner] = {
            item.name: Setting(item.name, _without_none(hints[item.name]), _default(item), item.metadata[_DECLARED])
            for item in dataclasses.fields(owner)
        }
    return _KNOWN[owner]


def settings_in(owner: type, place: Place) -> Mapping[str, Setting]:
    """The settings that may be given in a place."""
    return {name: setting for name, setting in settings_of(owner).items() if place in setting.declared.places}


def names(owner: type, *affects: Affects) -> tuple[str, ...]:
    """The settings that affect what is named: completions, the score, the choice of the back end."""
    return tuple(name for name, setting in settings_of(owner).items() if setting.declared.affects in affects)


def recorded(options: Any) -> dict[str, Any]:
    """The values that affect a score and are kept with it: all but paths, for a report tells nothing of the machine."""
    return {
        name: getattr(options, name)
        for name, setting in settings_of(type(options)).items()
        if setting.declared.affects is not None and not setting.is_path
    }


def names_held_equal(owner: type) -> tuple[str, ...]:
    """The settings that must be equal for two scores to be compared, beside the problems themselves."""
    return tuple(name for name, setting in settings_of(owner).items() if setting.declared.held_equal)


def expected(setting: Setting) -> str:
    """What a value has to be, in words."""
    if setting.declared.pattern:
        return setting.declared.hint
    limits = setting.declared.limits
    word = _WORDS.get(setting.item, "")
    if setting.choices:
        word = f"one of {', '.join(setting.choices[:-1])} or {setting.choices[-1]}"
    if limits.is_fraction and setting.item is float:
        word = "a fraction"
    text = " ".join(filter(None, (word, str(limits))))
    listed = ", or a list of them" if setting.is_list and not setting.choices else ""
    return text + listed + (f" ({setting.declared.hint})" if setting.declared.hint else "")


_WORDS: dict[Any, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    Duration: "a time",
    Size: "a size",
    Path: "a path",
    str | int: "the name or the id of a token",
    dict[str, Any]: "a table",
    dict[str, Path]: "a path for each name",
}


def _default(item: dataclasses.Field[Any]) -> Any:
    return item.default if item.default_factory is dataclasses.MISSING else item.default_factory()


def _without_none(annotation: Any) -> Any:
    """The type of the values that may be given: ``None`` means that none is."""
    if get_origin(annotation) not in {Union, types.UnionType}:
        return annotation
    kept = [part for part in get_args(annotation) if part is not type(None)]
    return kept[0] if len(kept) == 1 else Union[tuple(kept)]  # noqa: UP007 - the parts are known only now
