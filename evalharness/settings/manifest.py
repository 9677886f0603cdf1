"""``evalharness.toml`` or ``[tool.evalharness]``: what the user says about a checkpoint, as frozen settings.

The nearest manifest beside the checkpoint or above it wins; in one folder ``evalharness.toml`` wins over
``pyproject.toml``. What its ``[score]`` and ``[gate]`` leave out, which is about a project more than a checkpoint, is
read from the ``pyproject.toml`` of the project: the nearest above the checkpoint, else above the working folder. Every
path is relative to the file that names it and is absolute in the settings.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_type_hints

from evalharness.errors import ManifestError

if TYPE_CHECKING:
    from collections.abc import Mapping

MANIFEST_NAME, PROJECT_NAME = "evalharness.toml", "pyproject.toml"


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """``[model]``: how the weights become a model, and what the model expects around a prompt.

    ``args`` are the factory's keyword arguments; ``config`` is a JSON or TOML file that is handed to it as one dict.
    ``tokenizer`` stays text: a path, a hub name or code, told apart where it is loaded. ``merged_adapter`` is the PEFT
    adapter that the checkpoint is said to have in its weights, once, over the base that ``weights`` names.
    """

    factory: str | None = None
    args: dict[str, Any] = field(default_factory=dict)
    config: Path | None = None
    weights: Path | None = None
    merged_adapter: Path | None = None
    tokenizer: str | None = None
    context_length: int | None = None
    begin_token: str | int | None = None
    end_tokens: tuple[str | int, ...] | None = None
    prompt_template: str = "{prompt}"
    forward: str | None = None
    attention: Literal["causal", "prefix"] = "causal"


@dataclass(frozen=True, slots=True)
class DataSettings:
    """``[data]``: the files that the model was tuned on and validated on, and the keys of their rows."""

    train: Path | None = None
    validation: Path | None = None
    prompt_key: str | None = None
    completion_key: str | None = None


@dataclass(frozen=True, slots=True)
class LossSettings:
    """``[loss]``: what the training loop did, as far as the user knows. None is "not said"."""

    label_smoothing: float | None = None
    count_prompt: bool | None = None
    count_padding: bool | None = None


@dataclass(frozen=True, slots=True)
class LogSettings:
    """``[log]``: the training logs. One path or a list of them."""

    path: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class ScoreSettings:
    """``[score]``: defaults for the command line. None is "not said".

    An entry of ``problems`` that has a slash or ends in ``.jsonl`` is a path, and absolute here; any other is a name.
    """

    problems: tuple[str, ...] | None = None
    samples: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    k: tuple[int, ...] | None = None
    limit: int | None = None
    max_new_tokens: int | None = None
    batch_size: int | None = None
    device: str | None = None
    dtype: str | None = None
    seed: int | None = None
    workers: int | None = None
    out: Path | None = None
    mbpp: Path | None = None
    sandbox: str | None = None
    packages: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class GateSettings:
    """``[gate]``: what a checkpoint is held to by ``evalharness gate`` and the pytest plugin. None is "not said"."""

    no_collapse: bool | None = None
    checks: tuple[str, ...] | None = None
    min_pass_at_1: float | None = None
    max_loop_rate: float | None = None
    judge_by: Literal["point", "bound"] | None = None
    baseline: Path | None = None
    level: float | None = None
    tolerance: float | None = None


@dataclass(frozen=True, slots=True)
class Manifest:
    """All settings. ``path`` is the file that they come from, None where there is none; ``folder`` is where it lies.

    ``origins`` names the file of each setting of ``[score]`` and ``[gate]`` that is said, by ``"score.samples"``.
    """

    path: Path | None
    folder: Path
    model: ModelSettings = field(default_factory=ModelSettings)
    data: DataSettings = field(default_factory=DataSettings)
    loss: LossSettings = field(default_factory=LossSettings)
    log: LogSettings = field(default_factory=LogSettings)
    score: ScoreSettings = field(default_factory=ScoreSettings)
    gate: GateSettings = field(default_factory=GateSettings)
    origins: Mapping[str, Path] = field(default_factory=dict)


CODE_SPEC = re.compile(r"(?P<module>.+\.py|[A-Za-z_][\w.]*):(?P<attribute>[A-Za-z_][\w.]*)")


def is_code_spec(text: str) -> bool:
    """Whether a manifest's value names code: ``models.py:build`` or ``package.module:build``."""
    return CODE_SPEC.fullmatch(text) is not None


def code_specs(manifest: Manifest) -> list[str]:
    """The user's code that loading a checkpoint runs."""
    settings = manifest.model
    specs = [settings.factory, settings.forward, settings.tokenizer]
    return [spec for spec in specs if spec is not None and is_code_spec(spec)]


def notes_on_code(manifest: Manifest) -> tuple[str, ...]:
    """The line that names the code that will be run; none where none will."""
    specs = code_specs(manifest)
    return (f"runs {', '.join(specs)} as {_as_seen_from_here(manifest.path)} says",) if specs else ()


def _as_seen_from_here(path: Path | None) -> str:
    """A path below the working folder without that folder: a report that is handed on tells nothing of the machine."""
    here = Path.cwd()
    return str(path.relative_to(here) if path is not None and path.is_relative_to(here) else path)


SECTIONS: dict[str, type] = {
    "model": ModelSettings,
    "data": DataSettings,
    "loss": LossSettings,
    "log": LogSettings,
    "score": ScoreSettings,
    "gate": GateSettings,
}
_OF_THE_PROJECT = ("score", "gate")

_EXPECTED = {
    "bool": "true or false",
    "dict[str, Any]": "a table",
    "float": "a number",
    "int": "a whole number",
    "str": "a text",
    "str | int": "a token's name or id",
    "Path": "a path",
    "Literal['causal', 'prefix']": "'causal' or 'prefix'",
    "Literal['point', 'bound']": "'point' or 'bound'",
    "tuple[Path, ...]": "a path or a list of paths",
    "tuple[int, ...]": "a whole number or a list of them",
    "tuple[str, ...]": "a text or a list of texts",
    "tuple[str | int, ...]": "a list of tokens' names or ids",
}

# Lowest and highest value, both allowed.
RANGES: dict[tuple[str, str], tuple[float, float]] = {
    ("model", "context_length"): (1, float("inf")),
    ("loss", "label_smoothing"): (0.0, 1.0),
    ("score", "samples"): (0, float("inf")),
    ("score", "temperature"): (0.0, float("inf")),
    ("score", "top_p"): (0.0, 1.0),
    ("score", "top_k"): (0, float("inf")),
    ("score", "k"): (1, float("inf")),
    ("score", "limit"): (1, float("inf")),
    ("score", "max_new_tokens"): (1, float("inf")),
    ("score", "batch_size"): (1, float("inf")),
    ("score", "workers"): (1, float("inf")),
    ("gate", "min_pass_at_1"): (0.0, 1.0),
    ("gate", "max_loop_rate"): (0.0, 1.0),
    ("gate", "level"): (0.0, 1.0),
    ("gate", "tolerance"): (0.0, 1.0),
}


def find_manifest(checkpoint_path: Path | str) -> Manifest:
    """Return the nearest manifest beside the checkpoint or above it, or an empty one, completed by the project's.

    Raises ManifestError where one that is read is malformed.
    """
    start = _start_folder(Path(checkpoint_path))
    found = _nearest_file(start, MANIFEST_NAME, PROJECT_NAME)
    manifest = Manifest(path=None, folder=start) if found is None else read_manifest(found)
    if found is not None and found.name == PROJECT_NAME:
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
    faults: list[str] = []
    settings: dict[str, Any] = {}
    for section, raw in document.items():
        if section not in SECTIONS:
            faults.append(f"[{prefix}{section}] is unknown{_nearest(section, SECTIONS)}")
        elif not isinstance(raw, dict):
            faults.append(f"{prefix}{section}: {raw!r} is not a table")
        else:
            settings[section] = _parse_section(section, raw, path.parent, f"[{prefix}{section}]", faults)
    if faults:
        raise ManifestError(f"{path}: {'; '.join(faults)}")
    return Manifest(path=path, folder=path.parent, **settings, origins=_origins(path, settings))


def _nearest_file(start: Path, *names: str) -> Path | None:
    """The nearest file of these names in a folder or above it; in one folder the first name counts."""
    files = (folder / name for folder in (start, *start.parents) for name in names)
    return next((file for file in files if file.is_file() and (file.name != PROJECT_NAME or _is_ours(file))), None)


def _completed(manifest: Manifest, project: Manifest) -> Manifest:
    """The manifest with what the project's file says of scoring and gating, where it says nothing itself."""
    sections = {}
    for name in _OF_THE_PROJECT:
        own, other = getattr(manifest, name), getattr(project, name)
        missing = [item.name for item in dataclasses.fields(own) if getattr(own, item.name) is None]
        sections[name] = dataclasses.replace(own, **{key: getattr(other, key) for key in missing})
    return dataclasses.replace(manifest, **sections, origins={**project.origins, **manifest.origins})


def _origins(path: Path, settings: dict[str, Any]) -> dict[str, Path]:
    return {
        f"{section}.{item.name}": path
        for section in _OF_THE_PROJECT
        for item in dataclasses.fields(SECTIONS[section])
        if getattr(settings.get(section), item.name, None) is not None
    }


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


def _parse_section(section: str, raw: dict[str, Any], folder: Path, label: str, faults: list[str]) -> Any:
    """Return the section's settings, or None after its faults were added."""
    from pydantic import ValidationError  # noqa: PLC0415 - 70 ms that --help need not spend

    fields = {item.name: str(item.type).removesuffix(" | None") for item in dataclasses.fields(SECTIONS[section])}
    values = {key: _prepare(key, value, fields.get(key, ""), folder) for key, value in raw.items()}
    try:
        settings = SECTIONS[section](**_validated(SECTIONS[section], values))
    except ValidationError as error:
        for key in dict.fromkeys(str(fault["loc"][0]) for fault in error.errors()):
            if key not in fields:
                faults.append(f"{label} {key} is unknown{_nearest(key, fields)}")
            else:
                faults.append(f"{label} {key}: {raw[key]!r} is not {expected_of(fields[key])}")
        return None
    faults.extend(f"{label} {fault}" for fault in _faults_of_values(section, settings, raw))
    return settings


def _validated(settings: type, values: dict[str, Any]) -> dict[str, Any]:
    """Check the values against the annotations of a settings class: no conversions, no unknown keys."""
    from pydantic import ConfigDict, create_model  # noqa: PLC0415 - see _parse_section

    fields: dict[str, Any] = {key: (hint, None) for key, hint in get_type_hints(settings).items()}
    model = create_model(settings.__name__, __config__=ConfigDict(extra="forbid", strict=True), **fields)
    checked = model.model_validate(values)
    return {key: getattr(checked, key) for key in values}


def _prepare(key: str, value: Any, expected: str, folder: Path) -> Any:
    """Lists become tuples, a lone value a tuple of one, and texts that are paths become absolute paths."""
    if expected.startswith("tuple"):
        items = tuple(value) if isinstance(value, list) else (value,)
        if "Path" in expected:
            return tuple(_resolve(item, folder) for item in items)
        if key == "problems":
            return tuple(problems_from(folder, item) for item in items)
        return items
    return _resolve(value, folder) if expected == "Path" else value


def _resolve(value: Any, folder: Path) -> Any:
    return folder / Path(value).expanduser() if isinstance(value, str) else value


def problems_from(folder: Path, value: Any) -> Any:
    """A set of problems as a folder's file names it: a path, relative to the folder, becomes absolute."""
    is_path = isinstance(value, str) and ("/" in value or value.endswith(".jsonl"))
    return str(_resolve(value, folder)) if is_path else value


def _faults_of_values(section: str, settings: Any, raw: dict[str, Any]) -> list[str]:
    faults = []
    for (owner, key), (low, high) in RANGES.items():
        value = getattr(settings, key) if owner == section else None
        values = value if isinstance(value, tuple) else () if value is None else (value,)
        if not all(low <= item <= high for item in values):
            bounds = f"at least {low}" if high == float("inf") else f"between {low} and {high}"
            faults.append(f"{key}: {raw[key]!r} is not {bounds}")
    if section == "model":
        if settings.args and settings.config is not None:
            faults.append("args and config are both given: the factory takes one of them")
        if "{prompt}" not in settings.prompt_template:
            faults.append(f"prompt_template: {settings.prompt_template!r} does not contain {{prompt}}")
    return faults


def expected_of(annotation: str) -> str:
    """What a value of a type has to be, in words."""
    return _EXPECTED.get(annotation.replace('"', "'"), annotation)


def _nearest(key: str, known: Any) -> str:
    nearest = difflib.get_close_matches(key, list(known), n=1, cutoff=0.5)
    return f" (nearest known: {nearest[0]})" if nearest else f" (known: {', '.join(known)})"
