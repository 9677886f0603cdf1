"""``diagnose --write-repair``: the configuration of a checkpoint with what a proven repair changes, in a new file."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalharness.errors import EvalHarnessError
from evalharness.pipeline.target import find_target
from evalharness.records import is_proven_repair

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from evalharness.pipeline.target import Target
    from evalharness.records import Finding

OF_KIND = {"huggingface": "config.json", "adapter": "adapter_config.json"}


def write_repair(path: Path, asked: Mapping[str, Any], findings: Iterable[Finding]) -> tuple[Path | None, str]:
    """Write the mended configuration beside the old one, under a new name, and return its path and a line about it.

    ``path`` and ``asked`` are those of the diagnosis that found ``findings``.
    None if no repair is proven, or if no key of a configuration says it. Raises :class:`EvalHarnessError` if the old
    one can't be read or the new one can't be written. Nothing that is there is changed.
    """
    finding = next((f for f in findings if is_proven_repair(f)), None)
    if finding is None:
        return None, "no repair is proven: nothing was written"
    settings: Mapping[str, Any] = finding.evidence["settings"]
    if not settings:
        return None, f"no key of a configuration says this repair, so that nothing was written: {finding.remedy}"
    target = find_target(path, asked)
    old = _configuration(target)
    mended = None if old is None else _mended(old, settings)
    if old is None or mended is None:
        wanted = ", ".join(f"{key} = {value!r}" for key, value in settings.items())
        return None, f"the code sets {wanted} itself, so that nothing was written: {finding.remedy}"
    # The cache of the hub is not the user's to edit.
    new = _written(old, mended, old.parent if target.located.hub is None else Path.cwd())
    return new, f"the mended configuration is in {new}; {old.name} is as it was"


def _configuration(target: Target) -> Path | None:
    """The file whose keys build the model: that of transformers or PEFT, else what the manifest names, or itself."""
    located, manifest = target.located, target.manifest
    if located.kind in OF_KIND:
        folder = located.path if located.path.is_dir() else located.path.parent
        return folder / OF_KIND[located.kind]
    return manifest.model.config or manifest.path


def _mended(file: Path, settings: Mapping[str, Any]) -> str | None:
    """The text of the file with other values; None if it is a TOML file that has not each key once."""
    try:
        text = file.read_text(encoding="utf-8")
        if file.suffix == ".json":
            values = json.loads(text)
            for key, value in settings.items():
                _set(values, key, value)
            return json.dumps(values, indent=2, ensure_ascii=False) + "\n"
    except (OSError, ValueError) as error:
        raise EvalHarnessError(f"{file}: can't be read, so that no mended copy was written: {error}") from error
    for key, value in settings.items():
        text, count = re.subn(rf"\b{re.escape(key)}(\s*=\s*)[^\s,}}]+", rf"{key}\g<1>{json.dumps(value)}", text)
        if count != 1:
            return None
    return text


def _set(values: dict[str, Any], key: str, value: Any) -> None:
    """Set ``key``, its parts separated by dots; the older form that has the last part at the top is kept in step."""
    *above, last = key.split(".")
    inner = values
    for part in above:
        inner = inner.setdefault(part, {})
    inner[last] = value
    if above and last in values:
        values[last] = value


def _written(old: Path, text: str, folder: Path) -> Path:
    """A new file that is called after ``old``: ``config.repaired.json``, with a number if that is there."""
    for number in range(1, 1000):
        new = folder / (f"{old.stem}.repaired{'' if number == 1 else f'-{number}'}{old.suffix}")
        try:
            with new.open("x", encoding="utf-8") as file:
                file.write(text)
        except FileExistsError:
            continue
        except OSError as error:
            raise EvalHarnessError(f"{new}: can't be written: {error.strerror}") from error
        return new
    raise EvalHarnessError(f"{folder}: has a thousand repaired copies of {old.name} already")
