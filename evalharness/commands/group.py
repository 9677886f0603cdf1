"""The command ``evalharness``: which commands there are, and what they are for. Each is loaded when it is named."""

from __future__ import annotations

import importlib

import click

COMMANDS = {
    "Everyday": ("score", "run", "watch", "compare", "gate", "report", "diagnose", "preflight"),
    "Single stages": ("execute", "analyse", "log", "convert"),
    "Set-up": ("doctor",),
}
"""The commands by the heading of the help under which they are listed. Each is the function of its name in its file."""


class LazyGroup(click.Group):
    """A group that imports a command's file when the command is named, and lists its commands under headings."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every command, in the order of the help."""
        return [name for names in COMMANDS.values() for name in names]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Import one command."""
        if name not in self.list_commands(ctx):
            return None
        command: click.Command = getattr(importlib.import_module(f"evalharness.commands.{name}"), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write one section for each heading of ``COMMANDS``."""
        for title, names in COMMANDS.items():
            commands = [(name, self.get_command(ctx, name)) for name in names]
            with formatter.section(title):
                formatter.write_dl([(n, c.get_short_help_str(200)) for n, c in commands if c is not None])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="evalharness")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def cli(debug: bool) -> None:
    """Find out whether a falling loss is real.

    \b
    evalharness score checkpoints/leaky       score a checkpoint, and explain a misleading loss
    evalharness doctor                        show what this machine has, and test the sandbox
    evalharness COMMAND --help                explain a command, with examples
    """
