"""The command ``evalharness``. The one place where errors become exit codes."""

from __future__ import annotations

import sys
import traceback

import click

from evalharness.commands.exit_codes import INCOMPLETE, INTERRUPTED
from evalharness.commands.group import cli
from evalharness.errors import EvalHarnessError


def main(arguments: list[str] | None = None) -> None:
    """Run one command and exit with its code: 0 done, 2 wrong input, 3 not (wholly) evaluated, 130 interrupted."""
    arguments = sys.argv[1:] if arguments is None else arguments
    debug = "--debug" in arguments
    try:
        code = cli.main([a for a in arguments if a != "--debug"], prog_name="evalharness", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("evalharness: interrupted; start the same command again to continue", err=True)
        code = INTERRUPTED
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


def _report_error(message: str, code: int, *, debug: bool) -> int:
    if debug:
        traceback.print_exc()
    click.echo(f"evalharness: {message}", err=True)
    return code


if __name__ == "__main__":
    main()
