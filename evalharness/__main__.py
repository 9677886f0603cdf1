"""The command ``evalharness``. The one place where errors become exit codes."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evalharness.commands.exit_codes import INCOMPLETE, INTERRUPTED
from evalharness.commands.group import cli
from evalharness.commands.whole_words import echo
from evalharness.errors import EvalHarnessError, UntrustedError

if TYPE_CHECKING:
    from collections.abc import Iterator

_ENDING = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))


class Terminated(SystemExit):
    """Somebody ends this process: what it holds is let go, its temporary files are removed, and it exits."""


def main(arguments: list[str] | None = None) -> None:
    """Run one command and exit with its code.

    0: done, 2: wrong input, 3: not (wholly) evaluated, 130: interrupted, 128 and the signal's number: ended by one.
    """
    _open_closed_streams()
    arguments = sys.argv[1:] if arguments is None else arguments
    debug = "--debug" in arguments
    try:
        with _cleaning_up_when_terminated():
            code = _run([a for a in arguments if a != "--debug"])
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("evalharness: interrupted; start the same command again to continue", err=True)
        code = INTERRUPTED
    except Terminated as ended:
        with contextlib.suppress(OSError):  # the terminal may be what has gone
            click.echo("evalharness: terminated; start the same command again to continue", err=True)
        code = ended.code
    except EvalHarnessError as error:
        code = _report_error(str(error), error.exit_code, debug=debug)
    except BrokenPipeError:
        # Whoever read our output has gone, as `| head` does: nothing is wrong, and nobody is left to tell.
        sys.stderr.close()
        code = 0
    except Exception as error:  # noqa: BLE001 - the last resort: a user gets one line, and --debug shows the rest
        kind = type(error).__name__
        code = _report_error(
            f"{kind}: {str(error).splitlines()[0] if str(error) else 'no message'} (--debug shows where)",
            INCOMPLETE,
            debug=debug,
        )
    sys.exit(code)


def _open_closed_streams() -> None:
    """Open standard streams that are closed (``<&-``), or the next file would get their number and what they print."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 - open to the end


def _run(arguments: list[str]) -> Any:
    """Run a command; where it would run code that nobody asked for, ask on a terminal, and run it with ``--trust``."""
    try:
        return cli.main(arguments, prog_name="evalharness", standalone_mode=False)
    except UntrustedError as error:
        if not (_can_be_asked() and "--trust" not in arguments and _takes_trust(arguments)):
            raise
        if not click.confirm(f"{error.reason}. Run it, as --trust does?", err=True):
            raise
    return cli.main([*arguments, "--trust"], prog_name="evalharness", standalone_mode=False)


def _can_be_asked() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


def _takes_trust(arguments: list[str]) -> bool:
    """Whether the command of these arguments has the option ``--trust``."""
    context = click.Context(cli)
    named = next((a for a in arguments if not a.startswith("-")), "")
    command = cli.get_command(context, named)
    return command is not None and "--" not in arguments and any("--trust" in item.opts for item in command.params)


@contextlib.contextmanager
def _cleaning_up_when_terminated() -> Iterator[None]:
    """Turn the signals that end a process at once into an exit on the way of which everything is tidied up.

    A signal that whoever started this process ignores (``nohup``) stays ignored.
    """
    before = {number: signal.getsignal(number) for number in _ENDING}
    for number, handler in before.items():
        if handler == signal.SIG_DFL:
            signal.signal(number, _terminate)
    try:
        yield
    finally:
        for number, handler in before.items():
            if signal.getsignal(number) is _terminate:  # once it came, further ones are ignored to the end
                signal.signal(number, handler)


def _terminate(number: int, _frame: Any) -> None:
    for other in _ENDING:
        signal.signal(other, signal.SIG_IGN)  # a second one would leave half of what the first one tidies up
    raise Terminated(128 + number)


def _report_error(message: str, code: int, *, debug: bool) -> int:
    if debug:
        traceback.print_exc()
    echo(f"evalharness: {message}", err=True)
    return code


if __name__ == "__main__":
    main()
