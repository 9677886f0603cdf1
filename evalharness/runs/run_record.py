"""``run.json``, ``log.jsonl``, ``entropy.jsonl``: what the report of a run holds beside the scores of its steps."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evalharness.errors import StoreError
from evalharness.runs import paths
from evalharness.runs.folder import RunFolder
from evalharness.runs.json_values import json_line, plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from evalharness.records import EntropyPoint, LossPoint, Split

Fact = tuple[str, str, str]
"""Section, name and value: ``("Data", "Train", "2,000 rows (train.jsonl)")``."""


@dataclass(frozen=True, slots=True)
class DataFile:
    """One file of training or validation data, and how many ``rows`` it has.

    ``fields`` are the names of a row's fields with their types in Python, ``origins`` the sources of the rows with how
    many each gave. ``prompt`` and ``completion`` are those of the first row, cut to a length that can be shown. Of the
    ``read`` rows with a prompt, ``prompt_endings`` and ``completion_beginnings`` have the most frequent ones with their
    counts, as :mod:`evalharness.report.text_ends` takes them.
    """

    split: Split
    path: str
    rows: int
    fields: tuple[tuple[str, str], ...]
    origins: tuple[tuple[str, int], ...]
    prompt: str
    completion: str
    read: int
    prompt_endings: tuple[tuple[str, int], ...]
    completion_beginnings: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class RunRecord:
    """What is known of a run. ``path`` is that of its checkpoints, as it was given.

    ``failures`` are pairs of a step and why it could not be scored; ``facts`` what is said under "How it was trained";
    ``questions`` what each probe asks, in their order. ``data`` are the files that the manifest names, ``inputs`` the
    files that the run came from as ``(path, what it is)``, ``checkpoints`` where each step lies. These three are empty
    in records from before there were any. ``not_worth_trying`` is what is in vain once a probe has ruled out what it
    asks; None in records from before it was kept.
    """

    name: str
    path: str
    failures: tuple[tuple[int, str], ...]
    facts: tuple[Fact, ...]
    questions: tuple[tuple[str, str], ...]
    data: tuple[DataFile, ...] = ()
    inputs: tuple[tuple[str, str], ...] = ()
    checkpoints: tuple[tuple[int, str], ...] = ()
    not_worth_trying: tuple[tuple[str, str], ...] | None = None


def write_run_record(
    run: Path, record: RunRecord, log: Iterable[LossPoint], entropies: Iterable[EntropyPoint] = ()
) -> bool:
    """Write the files; False if they were there and are the same. Raises :class:`StoreError`."""
    texts = {
        paths.RUN_RECORD: json.dumps(plain(record), indent=2, ensure_ascii=False) + "\n",
        paths.LOGGED_LOSSES: "".join(json_line(plain(point)) for point in log),
    }
    logged = "".join(json_line(plain(point)) for point in entropies)
    if logged or (run / paths.LOGGED_ENTROPIES).is_file():
        texts[paths.LOGGED_ENTROPIES] = logged
    if all(_is_same(run / name, text) for name, text in texts.items()):
        return False
    with RunFolder(run) as folder:
        for name, text in texts.items():
            folder.write(name, text)
    return True


def read_run_record(run: Path) -> RunRecord | None:
    """Read it; None if its steps were scored one by one, so that there is none. Raises :class:`StoreError`."""
    file = run / paths.RUN_RECORD
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        return RunRecord(
            name=content["name"],
            path=content["path"],
            failures=tuple((int(step), str(reason)) for step, reason in content["failures"]),
            facts=tuple((str(section), str(name), str(value)) for section, name, value in content["facts"]),
            questions=tuple((str(probe), str(question)) for probe, question in content["questions"]),
            data=tuple(map(_data_file, content.get("data", []))),
            inputs=tuple((str(path), str(words)) for path, words in content.get("inputs", [])),
            checkpoints=tuple((int(step), str(path)) for step, path in content.get("checkpoints", [])),
            not_worth_trying=_words(content.get("not_worth_trying")),
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{file}: broken: {error}") from error


def _words(pairs: Iterable[tuple[str, str]] | None) -> tuple[tuple[str, str], ...] | None:
    return None if pairs is None else tuple((str(probe), str(words)) for probe, words in pairs)


def _data_file(row: Mapping[str, Any]) -> DataFile:
    pairs = ("fields", "origins", "prompt_endings", "completion_beginnings")
    return DataFile(**{**row, **{name: tuple((first, second) for first, second in row[name]) for name in pairs}})


def _is_same(file: Path, text: str) -> bool:
    return file.is_file() and file.read_text(encoding="utf-8") == text
