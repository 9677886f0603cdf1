"""``evalharness.toml`` or ``[tool.evalharness]``: what the user says about a checkpoint, as frozen settings.

The nearest manifest beside the checkpoint or above it is read, ``evalharness.toml`` before ``pyproject.toml``. What its
``[score]`` and ``[gate]`` leave out, which belongs to a project more than to a checkpoint, is read from the
``pyproject.toml`` of the project: the nearest above the checkpoint, else above the working folder. Every path is
relative to the file that names it, and absolute in the settings.
"""

from __future__ import annotations

import dataclasses
import difflib
import os
import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from evalharness.errors import Fault, ManifestError
from evalharness.settings.declaration import setting
from evalharness.settings.gate import GateOptions
from evalharness.settings.score import ScoreOptions
from evalharness.settings.values import Way, values_and_faults

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

MANIFEST_NAME, PROJECT_NAME = "evalharness.toml", "pyproject.toml"


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """``[model]``: how the weights become a model, and what the model expects around a prompt."""

    factory: str | None = setting(help="Code that builds the model: models.py:build or package.module:build.")
    args: dict[str, Any] = setting(factory=dict, help="Keyword arguments of the factory.")
    config: Path | None = setting(help="A JSON or TOML file that is passed to the factory as one dict.")
    weights: Path | None = setting(help="The weights that an adapter was trained on: a path, or a name on the hub.")
    state_dict: str | None = setting(help="The key of the weights in their file, if several state dicts fit the model.")
    merged_adapter: Path | None = setting(help="A PEFT adapter that was merged into the checkpoint.")
    tokenizer: str | None = setting(help="A path, a name on the hub, or code: tokenizer.py:load.")
    context_length: int | None = setting(at_least=1, help="Longest input of the model, in tokens.")
    begin_token: str | int | None = setting(help="A token before every prompt.")
    end_tokens: tuple[str | int, ...] | None = setting(help="Tokens that end a completion.")
    prompt_template: str = setting("{prompt}", help="The text around a prompt; it contains {prompt}.")
    forward: str | None = setting(help="Code that computes the logits: models.py:all_logits.")
    generate: str | None = setting(
        help="Your own generate(model, ids, max_new_tokens), to be compared: models.py:generate, or a method's name."
    )
    attention: Literal["causal", "prefix"] = setting("causal", help="Whether a prompt's tokens see each other.")


@dataclass(frozen=True, slots=True)
class DataSettings:
    """``[data]``: the files of training and validation data, and the keys of their rows."""

    train: Path | None = setting(help="The training data.")
    validation: Path | None = setting(help="The validation data.")
    prompt_key: str | None = setting(help="The key of the prompt in a row, if evalharness does not know it.")
    completion_key: str | None = setting(help="The key of the completion in a row, if evalharness does not know it.")
    packed: bool = setting(False, help="Whether training joined rows and cut them to the context's length.")


@dataclass(frozen=True, slots=True)
class LossSettings:
    """``[loss]``: what the training loop did, as far as you know. What is left out is unknown."""

    label_smoothing: float | None = setting(at_least=0, at_most=1, help="Label smoothing of the training loss.")
    count_prompt: bool | None = setting(help="Whether the prompt's tokens count in the loss.")
    count_padding: bool | None = setting(help="Whether padding counts in the loss.")


@dataclass(frozen=True, slots=True)
class LogSettings:
    """``[log]``: the training logs."""

    path: tuple[Path, ...] = setting((), help="The training log, or several of one run.")
    step: str | None = setting(help="The column of steps, or a regular expression with the group (?P<step>…).")
    train: str | None = setting(help="The column of training losses, or a regular expression with (?P<train>…).")
    validation: str | None = setting(help="The column of validation losses, or one with (?P<validation>…).")
    run: str | None = setting(help="The run to read of a file that has several.")
    bytes_per_token: float | None = setting(above=0, help="Mean bytes of a token: converts losses in bits per byte.")
    iterations_per_step: int | None = setting(
        at_least=1, help="How many iterations are one step of the optimizer, if the log counts iterations."
    )


@dataclass(frozen=True, slots=True)
class ProblemSettings:
    """``[problems.NAME]``: where the problem set NAME lies, for sets that are not installed, such as mbpp."""

    path: Path | None = setting(help="The file of the problem set.")


@dataclass(frozen=True, slots=True)
class Manifest:
    """All settings. ``path`` is the file that they come from, None without one; ``folder`` is where it lies.

    ``score`` and ``gate`` have what is given, by the names of :class:`ScoreOptions` and :class:`GateOptions`;
    ``origins`` has the file of each, by ``"score.samples"``. ``notes`` has a line for each old name that was used.
    """

    path: Path | None
    folder: Path
    model: ModelSettings = field(default_factory=ModelSettings)
    data: DataSettings = field(default_factory=DataSettings)
    loss: LossSettings = field(default_factory=LossSettings)
    log: LogSettings = field(default_factory=LogSettings)
    score: Mapping[str, Any] = field(default_factory=dict)
    gate: Mapping[str, Any] = field(default_factory=dict)
    origins: Mapping[str, Path] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


CODE_SPEC = re.compile(r"(?P<module>.+\.py|[A-Za-z_][\w.]*):(?P<attribute>[A-Za-z_][\w.]*)")


def is_code_spec(text: str) -> bool:
    """Whether a manifest's value names code: ``models.py:build`` or ``package.module:build``."""
    return CODE_SPEC.fullmatch(text) is not None


def code_specs(manifest: Manifest) -> list[str]:
    """The user's code that loading a checkpoint runs."""
    settings = manifest.model
    specs = [settings.factory, settings.forward, settings.tokenizer, settings.generate]
    return [spec for spec in specs if spec is not None and is_code_spec(spec)]


def notes_on_code(manifest: Manifest) -> tuple[str, ...]:
    """The line that names the code that will be run; none where none will."""
    specs = code_specs(manifest)
    return (f"runs code: {', '.join(specs)}, named in {as_seen_from_here(manifest.path)}",) if specs else ()


def as_seen_from_here(path: Path | None) -> str:
    """A path below the working folder without that folder: a report that is handed on tells nothing of the machine."""
    here = Path.cwd()
    shown = None if path is None else _without_detours(path)
    return str(shown.relative_to(here) if shown is not None and shown.is_relative_to(here) else shown)


def _without_detours(path: Path) -> Path:
    """A path without ``..``, unless a link on its way makes that another file."""
    plain = Path(os.path.normpath(path))
    return plain if plain.resolve() == path.resolve() else path


SECTIONS: dict[str, type] = {
    "model": ModelSettings,
    "data": DataSettings,
    "loss": LossSettings,
    "log": LogSettings,
    "score": ScoreOptions,
    "gate": GateOptions,
}
PROBLEMS = "problems"
"""The section whose tables are problem sets: ``[problems.mbpp]``."""
_OF_THE_PROJECT = ("score", "gate")


def find_manifest(checkpoint_path: Path | str) -> Manifest:
    """Return the nearest manifest beside the checkpoint or above it, or an empty one, completed by the project's.

    Raises ManifestError where one that is read is malformed.
    """
    start = _start_folder(Path(checkpoint_path))
    nearest = _nearest_file(start, MANIFEST_NAME, PROJECT_NAME)
    manifest = Manifest(path=None, folder=start) if nearest is None else read_manifest(nearest)
    if nearest is not None and nearest.name == PROJECT_NAME:
        return manifest
    project = _nearest_file(start, PROJECT_NAME) or _nearest_file(Path.cwd(), PROJECT_NAME)
    return manifest if project is None else _completed(manifest, read_manifest(project))


def read_manifest(path: Path | str) -> Manifest:
    """Parse one ``evalharness.toml``, or the ``[tool.evalharness]`` of one ``pyproject.toml``.

    Raises one ManifestError that gathers every fault of the file.
    """
    path = Path(path).absolute()
    document = _read_toml(path)
    prefix = ""
    if path.name == PROJECT_NAME:
        document, prefix = document.get("tool", {}).get("evalharness", {}), "tool.evalharness."
        if not isinstance(document, dict):
            raise ManifestError(f"{path}: [tool] evalharness is {document!r}, expected the table [tool.evalharness]")
    document, notes = _renamed(document, path)
    return _Reading(path, prefix).manifest(document, notes)


@dataclass(slots=True)
class _Reading:
    """One file while it is read."""

    path: Path
    prefix: str
    faults: list[Fault] = field(default_factory=list)

    def manifest(self, document: Mapping[str, Any], notes: tuple[str, ...]) -> Manifest:
        """Everything that the file says. Raises ManifestError with all its faults."""
        unknown = [section for section in document if section not in {*SECTIONS, PROBLEMS}]
        self.faults += [Fault(name, f"[{self.prefix}{name}]", f"no such section{_nearest(name)}") for name in unknown]
        values = {name: self._section(name, SECTIONS[name], document[name]) for name in SECTIONS if name in document}
        paths = self._problem_paths(document.get(PROBLEMS, {}))
        if paths:
            values["score"] = {**values.get("score", {}), "problem_paths": paths}
        self.faults += _faults_of_model(values.get("model", {}), f"[{self.prefix}model]")
        if self.faults:
            raise ManifestError(f"{self.path}: {'; '.join(map(str, self.faults))}", tuple(self.faults))
        built: dict[str, Any] = {
            name: section_values if name in _OF_THE_PROJECT else SECTIONS[name](**section_values)
            for name, section_values in values.items()
        }
        origins = {f"{name}.{key}": self.path for name in _OF_THE_PROJECT for key in values.get(name, {})}
        return Manifest(path=self.path, folder=self.path.parent, **built, origins=origins, notes=notes)

    def _problem_paths(self, tables: Any) -> dict[str, Path]:
        if not isinstance(tables, dict):
            self.faults.append(Fault(PROBLEMS, f"[{self.prefix}{PROBLEMS}]", f"{tables!r} is not a table"))
            return {}
        sections = {name: self._section(f"{PROBLEMS}.{name}", ProblemSettings, table) for name, table in tables.items()}
        return {name: values["path"] for name, values in sections.items() if "path" in values}

    def _section(self, name: str, owner: type, raw: Any) -> dict[str, Any]:
        label = f"[{self.prefix}{name}]"
        if not isinstance(raw, dict):
            self.faults.append(Fault(name, label, f"{raw!r} is not a table"))
            return {}
        way = Way("manifest", lambda key: f"{label} {key}", texts=False, folder=self.path.parent)
        values, faults = values_and_faults(owner, raw, way)
        self.faults += faults
        return values


def _renamed(document: dict[str, Any], path: Path) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The document with the names of today, and a line for each old name that it used: ``[score] mbpp``."""
    score = document.get("score")
    if not isinstance(score, dict) or "mbpp" not in score:
        return document, ()
    kept = {name: value for name, value in score.items() if name != "mbpp"}
    tables = {"mbpp": {"path": score["mbpp"]}, **document.get(PROBLEMS, {})}
    note = f"{path}: [score] mbpp is an old name; write [problems.mbpp] path"
    return {**document, "score": kept, PROBLEMS: tables}, (note,)


def _nearest_file(start: Path, *names: str) -> Path | None:
    """The nearest file of these names in a folder or above it; in one folder the first name counts."""
    files = (folder / name for folder in (start, *start.parents) for name in names)
    return next((file for file in files if file.is_file() and (file.name != PROJECT_NAME or _is_ours(file))), None)


def _completed(manifest: Manifest, project: Manifest) -> Manifest:
    """The manifest with what the project's file says of scoring and gating, if it says nothing itself."""
    return dataclasses.replace(
        manifest,
        score={**project.score, **manifest.score},
        gate={**project.gate, **manifest.gate},
        origins={**project.origins, **manifest.origins},
        notes=(*manifest.notes, *project.notes),
    )


def _start_folder(path: Path) -> Path:
    # Only the folder is resolved: the manifest beside a link counts, not the one beside what it points to.
    lexical = path.resolve() if path.name in {"", ".."} else path.parent.resolve() / path.name
    return lexical if lexical.is_dir() else lexical.parent


def _is_ours(project: Path) -> bool:
    try:
        text = project.read_text(encoding="utf-8")
        return "evalharness" in tomllib.loads(text).get("tool", {})
    except (OSError, UnicodeDecodeError):
        return False
    except tomllib.TOMLDecodeError:
        # Somebody else's broken file is not ours to report, unless it is meant for us.
        return "tool.evalharness" in text


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ManifestError(f"{path}: can't be read: {error.strerror}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ManifestError(f"{path}: is not valid TOML: {error}") from error


def _faults_of_model(values: Mapping[str, Any], label: str) -> list[Fault]:
    faults = []
    if values.get("args") and values.get("config") is not None:
        faults.append(Fault("args", label, "args and config are both given: the factory takes one of them"))
    template = values.get("prompt_template", "{prompt}")
    if "{prompt}" not in template:
        problem = f"{template!r} does not contain {{prompt}}"
        faults.append(Fault("prompt_template", f"{label} prompt_template", problem))
    return faults


def _nearest(section: str) -> str:
    known: Collection[str] = (*SECTIONS, PROBLEMS)
    nearest = difflib.get_close_matches(section, known, n=1, cutoff=0.5)
    return f"; did you mean {nearest[0]!r}?" if nearest else f"; there are {', '.join(known)}"
