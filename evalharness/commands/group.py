"""The command ``evalharness``: which commands there are, and what they are for. Each is loaded when it is named."""

from __future__ import annotations

import importlib

import click

COMMANDS: dict[str, dict[str, str]] = {
    "Everyday": {
        "score": "Score a checkpoint: pass@k, degenerate completions, and whether its loss can be trusted.",
        "run": "Score every checkpoint of a training run, and write one report about all of them.",
        "watch": "Score each checkpoint as training writes it, and keep the run's report up to date.",
        "compare": "Compare checkpoints problem by problem: what changed, and whether it could be chance.",
        "gate": "Fail CI if a checkpoint is outside your limits.",
        "view": "Open completions in the browser, with the report: filter them, or see checkpoints side by side.",
        "report": "Rebuild the report of a run, or of one step, from its records, without the model.",
        "diagnose": "Find out why a checkpoint's loss and behaviour disagree: the cause, and what was ruled out.",
        "preflight": "Before you train, check whether the loss will be computed correctly.",
    },
    "Single stages": {
        "execute": "Run another tool's completions in the sandbox, and judge them.",
        "analyse": "Find loops and other degeneration in completions from any tool.",
        "audit": "Measure how many wrong programs the tests of a problem set let pass.",
        "log": "Show the losses in a training log.",
        "triage": "Look for signs of trouble in a training log alone; takes about a second.",
        "card": "Write a score into a Hugging Face model card: its model-index, and a table with the intervals.",
        "export": "Write the completions and verdicts of a score as logs of inspect_ai.",
        "convert": "Import another tool's completions: judge them, and write a report as for a scored model.",
    },
    "Set-up": {
        "init": "Write an evalharness.toml for a folder from the weights, code, tokenizer, data and logs found there.",
        "doctor": "Check this machine, the sandbox, the data and a checkpoint.",
    },
}
"""The commands by the heading of the help under which they are listed. Each is the function of its name in its file.

What a command is for is the first sentence of its docstring, repeated here (a test compares the two) because importing
all commands would take longer than the whole of ``--help`` may.
"""


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
        for title, commands in COMMANDS.items():
            with formatter.section(title):
                formatter.write_dl([*commands.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="evalharness")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def cli(debug: bool) -> None:
    """Find out whether a falling loss is real.

    \b
    evalharness score checkpoints/leaky       score a checkpoint, and explain a misleading loss
    evalharness doctor                        check this machine, and test the sandbox
    evalharness COMMAND --help                explain a command, with examples
    """
