"""``init``: what lies in a folder, as a manifest of a few lines; what is not found is said."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalharness.errors import CheckpointError, EvalHarnessError, UntrustedError
from evalharness.settings.manifest import MANIFEST_NAME, Manifest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalharness.models.torch import Located
    from evalharness.models.torch.projects import Proposal
    from evalharness.progress import Watcher

DEEPEST = 5
"""How many folders below the one that is named a checkpoint is looked for: Lightning's lie four below."""
MOST_LINES = 6
_TRAINING = ("train", "training")
_VALIDATION = ("val", "valid", "validation", "dev", "eval", "test")
_DATA_SUFFIXES = (".jsonl", ".parquet", ".bin", ".npy", ".json", ".txt")
_ROW_SUFFIXES = (".jsonl", ".parquet")
_NOT_DATA = {"log", "logs", "loss", "losses", "metrics", "history", "results", "state", "config", "args"}
_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "tokenizer.pkl", "meta.pkl")
_TOKENIZER_FUNCTIONS = ("load", "load_tokenizer", "get_tokenizer", "make_tokenizer", "build_tokenizer", "tokenizer")
_NOT_LOOKED_INTO = ("node_modules", "venv", "site-packages", "__pycache__", "wandb", "reports")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the manifest: a key with its section, a value, and what it is."""

    key: str
    value: Any
    comment: str

    def __str__(self) -> str:
        return f"{self.key} = {_toml(self.value)}  # {self.comment}"


@dataclass(slots=True)
class Initialised:
    """The checkpoint that was found, the lines of its manifest, where they were written, and what was not found."""

    checkpoint: Path
    lines: list[Line] = field(default_factory=list)
    path: Path | None = None
    missing: list[str] = field(default_factory=list)


def initialise(folder: Path, watcher: Watcher, *, trust: bool) -> Initialised:
    """Look at a folder, try what fits, and write its ``evalharness.toml`` if one is needed; never over another.

    Raises UntrustedError where the model's class must be tried and ``trust`` is not set, and CheckpointError where
    there is no checkpoint.
    """
    folder = folder.resolve()
    path = folder / MANIFEST_NAME
    if path.exists():
        raise EvalHarnessError(f"{path}: is there already; init writes over no manifest")
    files = tuple(_files(folder))
    located = _checkpoint(folder, files)
    watcher.say(f"checkpoint: {_seen_from(located.path, folder)}")
    result = Initialised(located.path)
    proposal = _proposal(located, folder, trust, result)
    result.lines += _model_lines(proposal, folder)
    if not any(line.key == "model.tokenizer" for line in result.lines):
        result.lines += _tokenizer_lines(located, proposal, folder, files, result)
    result.lines += _data_lines(proposal, folder, files, result)
    result.lines += _log_lines(located, folder, files, result)
    result.missing += [f"room for a line more: {line}" for line in result.lines[MOST_LINES:]]
    del result.lines[MOST_LINES:]
    if result.lines:
        text = "".join(f"{line}\n" for line in result.lines)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
        result.path = path
    return result


def _checkpoint(folder: Path, files: tuple[Path, ...]) -> Located:
    """The checkpoint that the folder is, or the newest that lies below it."""
    from evalharness.models.torch import locate
    from evalharness.models.torch.weight_names import WEIGHT_SUFFIXES, is_weights_name

    empty = Manifest(path=None, folder=folder)
    newest_first = sorted(
        (file for file in files if file.suffix in WEIGHT_SUFFIXES or is_weights_name(file.name)),
        key=lambda file: file.stat().st_mtime,
        reverse=True,
    )
    faults = []
    for place in dict.fromkeys((folder, *(file.parent for file in newest_first))):
        try:
            return locate(place, empty)
        except CheckpointError as error:
            faults.append(error)
    raise faults[0]


def _proposal(located: Located, folder: Path, trust: bool, result: Initialised) -> Proposal | None:
    """What makes the model: a known project, or the class of the user's code that fits."""
    if located.kind != "weights":
        return None
    from evalharness.models.torch.projects import Place, propose
    from evalharness.models.torch.projects.matching import candidates, match

    place = Place(located.path, folder, trust=trust)
    try:
        known = propose(place)
    except CheckpointError as error:
        if isinstance(error, UntrustedError):
            raise
        result.missing.append(str(error))
        return None
    if known is not None:
        return known
    tried = candidates(place)
    if tried and not trust:
        specs = ", ".join(dict.fromkeys(candidate.spec.partition(":")[0] for candidate in tried))
        raise UntrustedError(f"{folder}: finding the model's class tries the classes of modules in {specs}")
    matched = match(place)
    if matched is None:
        names = ", ".join(candidate.spec for candidate in tried) or "no class of a module"
        result.missing.append(
            f"[model] factory: the code that makes this model (tried: {names}); files that do more than define "
            "things are not run"
        )
    else:
        result.missing += matched.notes
    return matched


def _model_lines(proposal: Proposal | None, folder: Path) -> Iterator[Line]:
    """What makes the model; nothing if a score finds the same without asking: code of an installed project."""
    if proposal is None or not proposal.needs_trust:
        return
    factory = proposal.factory
    if proposal.folder != folder:
        module, _, name = factory.partition(":")
        file = module if module.endswith(".py") else f"{module.replace('.', '/')}.py"
        factory = f"{_seen_from(proposal.folder, folder)}/{file}:{name}"
    yield Line("model.factory", factory, f"makes the model: {proposal.project}")
    if proposal.args:
        yield Line("model.args", dict(proposal.args), "as they were saved with the weights, or as the shapes show")
    if proposal.tokenizer is not None:
        yield Line("model.tokenizer", _seen_from(proposal.tokenizer, folder), "turns text into tokens")
    if proposal.begin_token is not None:
        yield Line("model.begin_token", proposal.begin_token, "stands before every prompt, as in training")
    if proposal.context_length is not None:
        yield Line("model.context_length", proposal.context_length, "the longest input in training, in tokens")


def _tokenizer_lines(
    located: Located, proposal: Proposal | None, folder: Path, files: tuple[Path, ...], result: Initialised
) -> Iterator[Line]:
    """The tokenizer if it lies where it is not found without being named."""
    from evalharness.models.torch.tokenizer_lookup import lone_ranks

    start = located.path if located.path.is_dir() else located.path.parent
    near = {start, *(parent for parent in start.parents if parent.is_relative_to(folder)), folder}
    named = (file for file in files if file.name in _TOKENIZERS or file in lone_ranks(file.parent))
    tokenizers = sorted(named, key=lambda file: len(file.parts))
    if any(file.parent in near for file in tokenizers) or (proposal is None and located.kind != "weights"):
        return
    if tokenizers:
        yield Line("model.tokenizer", _seen_from(tokenizers[0], folder), "turns text into tokens")
    elif code := _tokenizer_code(folder, files):
        yield Line("model.tokenizer", code, "makes what turns text into tokens: your own code")
    else:
        result.missing.append(f"[model] tokenizer: a file {', '.join(_TOKENIZERS)}, or code: tokenizer.py:load")


def _tokenizer_code(folder: Path, files: tuple[Path, ...]) -> str | None:
    """The one function of a file called after tokens that is called as such functions are, and needs no argument."""
    from evalharness.models.torch.projects.python_classes import functions_without_arguments, is_quiet

    code = [file for file in files if file.suffix == ".py" and "token" in file.stem.lower() and is_quiet(file)]
    specs = [
        f"{_seen_from(file, folder)}:{name}"
        for file in code
        for name in functions_without_arguments(file)
        if name in _TOKENIZER_FUNCTIONS
    ]
    return specs[0] if len(specs) == 1 else None


def _data_lines(
    proposal: Proposal | None, folder: Path, files: tuple[Path, ...], result: Initialised
) -> Iterator[Line]:
    train = proposal.train if proposal is not None and proposal.train is not None else _training_file(files)
    validation = (
        _data_file(files, _VALIDATION) if proposal is None or proposal.validation is None else proposal.validation
    )
    for name, path in (("train", train), ("validation", validation)):
        if path is None:
            result.missing.append(f"[data] {name}: without it the loss can't be judged")
        else:
            yield Line(f"data.{name}", _seen_from(path, folder), "whose loss training logged")


def _training_file(files: tuple[Path, ...]) -> Path | None:
    """The file that is called so; else the only one that holds rows of data, whatever its name is."""
    named = _data_file(files, _TRAINING)
    if named is not None:
        return named
    others = [file for file in files if file.suffix in _ROW_SUFFIXES and not _is_called(file.stem.lower(), _VALIDATION)]
    holding = [file for file in others if _holds_rows(file)]
    return holding[0] if len(holding) == 1 else None


def _holds_rows(path: Path) -> bool:
    from evalharness.diagnosis import each_text

    try:
        return bool(next(each_text(path), ""))
    except EvalHarnessError:
        return False


def _data_file(files: tuple[Path, ...], names: tuple[str, ...]) -> Path | None:
    """The file that is called so, in the form that says most of its rows."""

    def rank(file: Path) -> tuple[int, int]:
        return _DATA_SUFFIXES.index(file.suffix), len(file.parts)

    fitting = [file for file in files if file.suffix in _DATA_SUFFIXES and _is_called(file.stem.lower(), names)]
    return min(fitting, key=rank, default=None)


def _is_called(stem: str, names: tuple[str, ...]) -> bool:
    words = set(stem.replace("-", "_").replace(".", "_").split("_"))
    return bool(words & set(names)) and not words & _NOT_DATA


def _log_lines(located: Located, folder: Path, files: tuple[Path, ...], result: Initialised) -> Iterator[Line]:
    """The log if it lies where it is not found without being named."""
    from evalharness.pipeline.log_choice import choose_log
    from evalharness.report.log_words import log_words
    from evalharness.training_log import event_runs, find_logs

    if (choice := choose_log(located.source, Manifest(None, folder))) is not None:
        if not choice.is_read:
            result.missing.append(f"[log] path: {log_words(choice)}")
        return
    folders = sorted({file.parent for file in files}, key=lambda place: len(place.parts))
    log_files = next((logs for place in folders if (logs := find_logs(place))), [])
    if len(runs := event_runs(log_files)) > 1:
        result.missing.append(f"[log] path: event files of {len(runs)} runs, {', '.join(runs)}: name those of one")
    elif log_files:
        yield Line("log.path", [_seen_from(path, folder) for path in log_files], "the losses that training logged")
    else:
        result.missing.append(
            "[log] path: the training log, which --log FILE names as well; without it no logged loss is compared"
        )


def _files(folder: Path) -> Iterator[Path]:
    """The files below a folder, but for hidden ones and those of environments."""
    for place, inner, names in os.walk(folder):
        depth = len(Path(place).relative_to(folder).parts)
        kept = sorted(n for n in inner if not n.startswith(".") and n not in _NOT_LOOKED_INTO)
        inner[:] = kept if depth < DEEPEST else []
        yield from (Path(place) / name for name in sorted(names) if not name.startswith("."))


def _seen_from(path: Path | str, folder: Path) -> str:
    return os.path.relpath(path, folder).replace(os.sep, "/") if os.path.isabs(path) else str(path)  # noqa: PTH117


def _toml(value: Any) -> str:
    """A value as TOML writes it; None, which it has no word for, is left out of tables."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        inside = (f"{_toml_key(name)} = {_toml(inner)}" for name, inner in value.items() if inner is not None)
        return f"{{ {', '.join(inside)} }}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return str(value) if isinstance(value, (int, float)) else _toml_text(str(value))


def _toml_key(name: str) -> str:
    return name if re.fullmatch(r"[\w-]+", name, re.ASCII) else _toml_text(name)


def _toml_text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
