"""Write the tables of the pages, which are made from the code, into the pages.

python docs/write_tables.py

A table stands between ``<!-- made: NAME ARGUMENT -->`` and ``<!-- end -->``; ``MAKERS`` has the names. A test
compares the pages with what would be written.
"""

from __future__ import annotations

import ast
import inspect
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
BOUNDS = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below"}
WIDTH = 78
"""Characters of a line of help, whatever the terminal."""
SENTENCE_ENDS = re.compile(r"(?<=\.) (?![a-z0-9(])")
"""A full stop and a space, unless what follows can't begin a sentence: "al. 2021" is within one."""
MADE = re.compile(r"(?P<begin><!-- made: (?P<name>\S+) ?(?P<argument>\S*) -->\n).*?(?P<end><!-- end -->)", re.DOTALL)


def main() -> None:
    """Write every page again whose tables are not current."""
    sys.path.insert(0, str(ROOT))
    for page in sorted(DOCS.glob("*.md")):
        text = page.read_text(encoding="utf-8")
        current = with_tables(text)
        if current != text:
            page.write_text(current, encoding="utf-8")
            print(f"renewed {page.relative_to(ROOT)}")


def with_tables(page: str) -> str:
    """The text of a page with each of its tables made again."""
    return MADE.sub(lambda found: f"{found['begin']}\n{_made(found)}\n\n{found['end']}", page)


def _made(found: re.Match[str]) -> str:
    return MAKERS[found["name"]](*filter(None, [found["argument"]]))


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def first_sentence(thing: Any) -> str:
    """The first sentence of a thing's docstring."""
    return first_sentence_of(inspect.getdoc(thing) or "")


def first_sentence_of(docstring: str) -> str:
    """Its first sentence on one line, with Markdown's marks for code in place of those of reStructuredText."""
    words = " ".join(docstring.split("\n\n", maxsplit=1)[0].split())
    words = re.sub(r":\w+:`~?([^`]+)`", r"`\1`", words.replace("``", "`"))
    return SENTENCE_ENDS.split(words, maxsplit=1)[0]


def probes() -> str:
    """Every probe in the order in which they are asked, those of preflight alone last."""
    from evalharness.diagnosis.catalogue import catalogue

    of_checkpoints = {probe.name: probe for probe in catalogue("checkpoint")}
    before_training = {probe.name: probe for asked_of in ("batch", "rows") for probe in catalogue(asked_of)}
    rows = (
        [
            f"`{name}`",
            probe.question,
            probe.at_most,
            ", ".join([*probe.needs, *sorted(probe.capabilities)]).replace("_", " ") or "–",
            ("also" if name in of_checkpoints else "only") if name in before_training else "–",
        ]
        for name, probe in {**before_training, **of_checkpoints}.items()
    )
    in_order = sorted(rows, key=lambda row: [*of_checkpoints, *before_training].index(row[0].strip("`")))
    return table(["probe", "question", "severity at most", "needs", "in preflight"], in_order)


def files(folder: str) -> str:
    """Every package and file of a folder with the first sentence of its docstring; nothing is imported."""
    found = [path for path in sorted((ROOT / folder).iterdir()) if not path.name.startswith("__")]
    described = [(path, path / "__init__.py" if path.is_dir() else path) for path in found]
    return table(
        ["", ""],
        (
            [f"`{path.name}{'/' * path.is_dir()}`", first_sentence_of(docstring_in(source))]
            for path, source in described
            if source.suffix == ".py" and source.exists()
        ),
    )


def docstring_in(source: Path) -> str:
    """The docstring of a file."""
    return ast.get_docstring(ast.parse(source.read_text(encoding="utf-8"))) or ""


def settings(section: str) -> str:
    """Every key of a section of the manifest."""
    schema = json.loads((ROOT / "evalharness/settings/evalharness.schema.json").read_text(encoding="utf-8"))
    keys = schema["properties"][section]["properties"]
    return table(
        ["key", "value", "default", ""],
        (
            [f"`{name}`", value_of(key), f"`{json.dumps(key['default'])}`" if "default" in key else "–", help_of(key)]
            for name, key in keys.items()
        ),
    )


def value_of(key: dict[str, Any]) -> str:
    """What may be written for a key, from its JSON schema."""
    if "enum" in key:
        return ", ".join(f"`{json.dumps(value)}`" for value in key["enum"])
    if "anyOf" in key:
        return " or ".join(dict.fromkeys(value_of(choice) for choice in key["anyOf"] if choice.get("type") != "null"))
    if key.get("type") == "array":
        return f"list of {value_of(key.get('items', {}))}"
    kinds = key.get("format", key.get("type", "any"))
    return " or ".join([kinds] if isinstance(kinds, str) else kinds)


def help_of(key: dict[str, Any]) -> str:
    """What a key is for, and its bounds."""
    bounds = [f"{words} {key[name]}" for name, words in BOUNDS.items() if name in key]
    return " ".join([key.get("description", ""), f"({', '.join(bounds)})" if bounds else ""]).strip()


def log_forms() -> str:
    """Every form of training log."""
    from evalharness.training_log import readers

    return table(["form", ""], ([name, first_sentence(reader)] for name, reader in readers().items()))


def completion_forms() -> str:
    """Every form of completions file."""
    from evalharness.completion_files.reading import readers

    return table(["form", ""], ([name, first_sentence(reader)] for name, reader in readers().items()))


def problem_sets() -> str:
    """Every problem set that has a name."""
    from evalharness.problems.sets import own_sources

    return table(["name", ""], ([f"`{name}`", first_sentence(source)] for name, source in own_sources().items()))


def checks() -> str:
    """Every ready-made check of the pytest plugin and the gate."""
    from evalharness.gate.checks import CHECKS

    return table(["check", "passes if"], ([f"`{name}`", first_sentence(check)] for name, check in CHECKS.items()))


def command_help(name: str) -> str:
    """What ``evalharness NAME --help`` prints, in a process of its own: click remembers how a command was called."""
    # click leaves two columns free.
    environment = {**os.environ, "COLUMNS": str(WIDTH + 2)}
    command = [sys.executable, "-m", "evalharness", name, "--help"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    return f"```text\n{done.stdout.rstrip()}\n```"


def command_list() -> str:
    """Every command with its one line of help."""
    import click

    from evalharness.commands.group import cli

    context = click.Context(cli, info_name="evalharness")
    commands = [(name, cli.get_command(context, name)) for name in cli.list_commands(context)]
    return table(
        ["command", ""],
        ([f"[`{name}`](#{name})", command.get_short_help_str(200)] for name, command in commands if command),
    )


def card(name: str) -> str:
    """The card of a shipped checkpoint, as ``evalharness score`` prints it."""
    from make_examples import printed_card

    return f"```text\n{printed_card(name)}\n```"


def priorities(package: str) -> str:
    """The numbers that the readers of ``training_log`` or ``completion_files`` have."""
    from importlib import import_module

    readers = import_module(f"evalharness.{package}.reading").readers()
    return "Taken: " + ", ".join(f"{reader.PRIORITY} ({form})" for form, reader in readers.items()) + "."


def project_priorities() -> str:
    """The numbers that the projects of checkpoints have."""
    from evalharness.models.torch.projects import projects

    return "Taken: " + ", ".join(f"{project.PRIORITY} ({project.PROJECT})" for project in projects()) + "."


def probe_orders() -> str:
    """The numbers that the probes have."""
    from evalharness.diagnosis.catalogue import catalogue

    return "Taken: " + ", ".join(f"{probe.order} (`{probe.name}`)" for probe in catalogue("checkpoint")) + "."


MAKERS: Mapping[str, Callable[..., str]] = {
    "card": card,
    "checks": checks,
    "command-help": command_help,
    "command-list": command_list,
    "completion-forms": completion_forms,
    "files": files,
    "log-forms": log_forms,
    "priorities": priorities,
    "probe-orders": probe_orders,
    "project-priorities": project_priorities,
    "probes": probes,
    "problem-sets": problem_sets,
    "settings": settings,
}


if __name__ == "__main__":
    main()
