"""inspect_ai: its logs, ``.eval`` (a zip) and ``.json``, through its own API, which is not a dependency.

Facts of inspect_ai 0.3.285: ``read_eval_log_samples`` yields an ``EvalSample`` for each sample and epoch, with ``id``,
``input`` (a text or messages) and ``output``, whose ``choices`` have a ``message`` and a ``stop_reason``. A sample that
ended in an error has no choices. What an agent wrote before its last answer is not in the output. A zip is a log if it
holds one of ``HEADS``, of which the latter is there while the log is written.
"""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING, Any

from evalharness.completion_files.entry import FileCompletion
from evalharness.completion_files.fields import stop_reason
from evalharness.completion_files.json_entries import ZIP
from evalharness.errors import CompletionFileError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from evalharness.completion_files.entry import Entry, Memory

FORM = "inspect_ai"
PRIORITY = 60
HEADS = ("header.json", "_journal/start.json")


def recognises(content: Any) -> bool:
    """A zip, or a JSON with the head of a log."""
    return content == ZIP or (
        isinstance(content, dict) and isinstance(content.get("eval"), dict) and {"version", "status"} <= content.keys()
    )


def read(entry: Entry, memory: Memory) -> Iterator[FileCompletion]:
    """Yield every choice of every sample."""
    if entry.content == ZIP:
        _check(entry.path)
    for number, sample in enumerate(_samples(entry.path, "eval" if entry.content == ZIP else "json"), 1):
        if not sample.output.choices:
            memory.left_out["samples without an output"] += 1
        for choice in sample.output.choices:
            yield FileCompletion(
                task_id=str(sample.id),
                text=choice.message.text,
                number=number,
                prompt=_prompt(sample.input),
                is_answer=True,
                stop_reason=stop_reason(choice.stop_reason),
            )


def _check(path: Path) -> None:
    """Checkpoints and other archives are zips, too."""
    try:
        with zipfile.ZipFile(path) as archive:
            if not set(HEADS).isdisjoint(archive.namelist()):
                return
    except zipfile.BadZipFile as error:
        raise CompletionFileError(f"{path}: a damaged zip: {error}") from error
    raise CompletionFileError(f"{path}: a zip archive, but not a log of inspect_ai: there are no completions in it")


def _samples(path: Path, form: str) -> Iterator[Any]:
    try:
        from inspect_ai.log import (  # noqa: PLC0415 - optional
            read_eval_log,
            read_eval_log_samples,
        )
    except ImportError as error:
        raise CompletionFileError(
            f"{path}: a log of inspect_ai is read by inspect_ai, which is not installed here: pip install inspect_ai"
        ) from error
    try:
        if form == "json":
            yield from read_eval_log(str(path), resolve_attachments=True, format="json").samples or ()
        else:
            yield from read_eval_log_samples(
                str(path), all_samples_required=False, resolve_attachments=True, format="eval"
            )
    except Exception as error:  # whatever its reader raises for a damaged log
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CompletionFileError(f"{path}: inspect_ai can't read it: {reason}") from error


def _prompt(given: Any) -> str | None:
    if isinstance(given, str):
        return given
    texts = [message.text for message in given if message.role == "user"]
    return texts[-1] if texts else None
