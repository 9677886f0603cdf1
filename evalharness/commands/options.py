"""The options of commands: those of settings, from their declaration, and the kinds of value that others have."""

from __future__ import annotations

import functools
from itertools import chain
from typing import TYPE_CHECKING, Any

import click

from evalharness.settings.declaration import Setting, settings_in
from evalharness.settings.score import ScoreOptions
from evalharness.settings.values import COMMAND_LINE, as_text, read

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Command = Callable[..., None]


class Numbers(click.ParamType[tuple[int, ...]]):
    """Whole numbers separated by commas."""

    name = "N,…"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        """Parse ``1,4``."""
        if isinstance(value, tuple):
            return value
        try:
            numbers = tuple(int(part) for part in str(value).split(","))
        except ValueError:
            numbers = ()
        if not numbers or min(numbers) < 1:
            self.fail(f"{value!r}: expected whole numbers from 1 on, such as 1,4", param, ctx)
        return numbers


class Names(click.ParamType[tuple[str, ...]]):
    """Names or paths separated by commas."""

    name = "NAME|PATH,…"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        """Parse ``humaneval,warmup``."""
        if isinstance(value, tuple):
            return value
        return tuple(part.strip() for part in str(value).split(",") if part.strip())


class Several(click.Option):
    """An option for several values: commas separate them, and so does giving it again."""

    def __init__(self, declared: Sequence[str], **settings: Any) -> None:
        super().__init__(declared, multiple=True, callback=_joined, **settings)


def _joined(_context: click.Context, option: click.Parameter, values: tuple[Any, ...]) -> Any:
    if not values:
        return None
    return tuple(chain.from_iterable(values)) if isinstance(option.type, Names | Numbers) else ",".join(values)


def settings_options(
    *names: str, owner: type = ScoreOptions, without: tuple[str, ...] = (), into: str = "asked"
) -> Callable[[Command], Command]:
    """Give a command options for these settings of a class, or for all of them.

    The command gets the values that were given, by the names of the settings, as its argument ``into``. Raises
    :class:`evalharness.errors.SettingError` for wrong values when the command is called.
    """
    offered = settings_in(owner, "command")
    chosen = names or tuple(name for name in offered if name not in without)

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def with_values(**parameters: Any) -> None:
            given = {name: parameters.pop(name) for name in chosen}
            texts = {name: None if value is None else as_text(value) for name, value in given.items()}
            command(**parameters, **{into: read(owner, texts, COMMAND_LINE)})

        made: Command = with_values
        for name in reversed(chosen):
            made = _option(owner, offered[name])(made)
        return made

    return decorate


def _option(owner: type, setting: Setting) -> Callable[[Command], Command]:
    """An option that is None unless it is given. Its text is read with those of all other places, not by click."""
    if setting.is_flag:
        return click.option(f"{setting.option}/{setting.off_option}", setting.name, default=None, help=setting.help)
    optional: dict[str, Any] = {}
    if setting.declared.alone is not None:
        optional = {"is_flag": False, "flag_value": setting.declared.alone, "callback": _checked_at_once(owner)}
    elif setting.is_list:
        optional = {"cls": Several}
    return click.option(setting.option, setting.name, metavar=setting.metavar, help=setting.help, **optional)


def _checked_at_once(owner: type) -> Callable[..., str | None]:
    """Where an option may stand without a value it may have taken an argument, which click would then miss."""

    def check(_context: click.Context, option: click.Parameter, value: str | None) -> str | None:
        read(owner, {option.name or "": value}, COMMAND_LINE)
        return value

    return check
