"""``analyse``: the degeneration of completions in files that any tool wrote."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from evalharness.completion_files import CompletionFile, FileCompletion, completion_files, read_completions
from evalharness.completion_files.tasks import Tasks, continuation
from evalharness.errors import CompletionFileError
from evalharness.pipeline.extracting import Extract, code_of_answer
from evalharness.progress import Silent, Watcher
from evalharness.records import DEFAULT_LANGUAGE, NOT_BEGUN, Interval

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from evalharness.completion_files.token_ids import Lines, Tokens
    from evalharness.degeneration import CompletionText, Degeneration
    from evalharness.problems import ProblemSet

SHIPPED = ("humaneval", "warmup")
"""The problem sets that every installation has: their prompts are taken without being asked for."""

NOT_BEGUN_NOTE = "left out: completions that were never begun"
PROMPT_CUT = "texts that the prompt was cut off"
FENCE_TAKEN = "chat answers of which only the code in the fence was measured"
PROMPT_KEPT = "whole programs that don't begin with a prompt that is known, measured whole"


@dataclass(frozen=True, slots=True)
class Analysed:
    """One completion's name and what was found in it."""

    task_id: str
    completion_id: int | None
    degeneration: Degeneration


@dataclass(frozen=True, slots=True)
class Summary:
    """How many of the completions are degenerate, in which ways, and the share with its interval."""

    completions: int
    degenerate: int
    share: Interval
    kinds: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class AnalysedFile:
    """The degeneration of each completion of a file, in its order. ``notes`` says how the file was read."""

    file: Path
    completions: tuple[Analysed, ...]
    forms: Mapping[str, int]
    notes: tuple[str, ...]
    summary: Summary


@dataclass(frozen=True, slots=True)
class AnalysedFiles:
    """What was found in each file, and over all. ``faults`` has a line for each file that could not be analysed."""

    files: tuple[AnalysedFile, ...]
    faults: tuple[str, ...]
    overall: Summary

    def raise_faults(self) -> None:
        """Raise :class:`CompletionFileError` where a file could not be analysed, once the others are told of."""
        if self.faults:
            raise CompletionFileError("; ".join(self.faults))


def analyse_files(
    paths: Sequence[Path],
    *,
    key: str | None = None,
    tokenizer: Path | None = None,
    problems: Sequence[str] = (),
    extract: Extract = "never",
    watcher: Watcher | None = None,
) -> AnalysedFiles:
    """Measure the completions of files, or of all files in a folder of a run.

    By tokens too, where a file has their ids or ``tokenizer`` (a tokenizer.json) is given. ``problems`` names the sets
    that prompts are taken from; without it, they are those of the sets that ship where every task is one of theirs.
    With ``extract`` "auto" only the code in the fence of a chat answer is measured.
    One file that can't be read doesn't stop the others, it is among the faults. Raises :class:`EvalHarnessError` where
    that leaves none, and for a tokenizer or a problem set that can't be read.
    """
    watcher = watcher or Silent()
    files = completion_files(paths)
    tokens = _tokens(tokenizer) if tokenizer else None
    tasks = Tasks(*_sets(problems)) if problems else None
    analysed: list[AnalysedFile] = []
    faults: list[str] = []
    watcher.stage("analysing", len(files))
    for path in files:
        try:
            file = read_completions(path, key)
            watcher.say(f"{path}: {len(file.completions)} completions, read as {listed_forms(file.forms)}")
            analysed.append(_analysed(file, tokens, tasks, extract))
        except CompletionFileError as error:
            faults.append(str(error))
        watcher.advance()
    if not analysed:
        raise CompletionFileError("; ".join(faults))
    return AnalysedFiles(tuple(analysed), tuple(faults), _summary([c for file in analysed for c in file.completions]))


def worst_first(files: Sequence[AnalysedFile]) -> list[tuple[AnalysedFile, Analysed]]:
    """The degenerate completions of all files, those first that lose the largest share of their text.

    Without a loop (an echo, gibberish) all of the text is lost. Of equal shares the longest loop comes first. Loops
    after a finished answer come last: the answer is not lost.
    """
    completions = ((file, completion) for file in files for completion in file.completions)
    return sorted((item for item in completions if item[1].degeneration.degenerate), key=lambda item: _loss_of(item[1]))


def _loss_of(completion: Analysed) -> tuple[bool, float, int]:
    """What sorts completions by how much of them is lost, the worst first."""
    degeneration, loop = completion.degeneration, completion.degeneration.loop
    characters = loop.end_character - loop.start_character if loop else 0
    return degeneration.after_answer is True, -(1.0 if degeneration.share is None else degeneration.share), -characters


def _analysed(file: CompletionFile, tokens: Tokens | None, tasks: Tasks | None, extract: Extract) -> AnalysedFile:
    from evalharness.degeneration import analyse_all

    begun = [w for w in file.completions if w.stop_reason not in NOT_BEGUN]
    if not begun:
        raise CompletionFileError(f"{file.path}: no completion in it was begun")
    lines: Lines = {NOT_BEGUN_NOTE: [w.number for w in file.completions if w.stop_reason in NOT_BEGUN]}
    tasks, prompts = _tasks_of(begun, tasks)
    inputs = [_input(file.path, completion, tasks, tokens, lines) for completion in begun]
    if extract == "auto":
        entry_points = [_entry_point(completion, tasks) for completion in begun]
        coded = [_coded(given, name) for given, name in zip(inputs, entry_points, strict=True)]
        lines[FENCE_TAKEN] = [w.number for w, old, new in zip(begun, inputs, coded, strict=True) if new is not old]
        inputs = coded
    degenerations = analyse_all(inputs, tokens.decode if tokens else None)
    completions = tuple(
        Analysed(_name(written, given), written.completion_id, degeneration)
        for written, given, degeneration in zip(begun, inputs, degenerations, strict=True)
    )
    counted = (_counted(note, numbers, len(begun)) for note, numbers in lines.items() if numbers)
    return AnalysedFile(file.path, completions, file.forms, (*prompts, *counted, *file.notes), _summary(completions))


def _counted(note: str, numbers: Sequence[int], total: int) -> str:
    """How many, and where to look, where it is not all of them."""
    return f"{note} ({len(numbers)}" + (f", the first at line {numbers[0]})" if len(numbers) < total else ")")


def _input(
    file: Path, written: FileCompletion, tasks: Tasks | None, tokens: Tokens | None, lines: Lines
) -> CompletionText:
    """What is analysed of one completion: only what the model wrote, as far as that can be told."""
    from evalharness.degeneration import CompletionText

    problem = tasks.of(written) if tasks else None
    text = continuation(written, tasks.prompts_of(problem) if tasks and problem else ())
    if written.holds_prompt:
        lines.setdefault(PROMPT_KEPT if text is None else PROMPT_CUT, []).append(written.number)
    text = written.text if text is None else text
    own_ids = written.token_ids if text == written.text else None
    named = written.task_id if written.has_id or written.holds_prompt else None
    return CompletionText(
        text,
        tokens.of(file, written, text, lines) if tokens else own_ids,
        token_entropy_nats=written.token_entropy_nats if own_ids is not None and not tokens else None,
        stop_reason=written.stop_reason,
        prompt=written.prompt if written.prompt is not None or problem is None else problem.prompt,
        task_id=problem.task_id if problem else named,
        language=problem.language if problem else DEFAULT_LANGUAGE,
    )


def _entry_point(written: FileCompletion, tasks: Tasks | None) -> str | None:
    problem = tasks.of(written) if tasks else None
    return None if problem is None else problem.entry_point


def _coded(given: CompletionText, entry_point: str | None) -> CompletionText:
    """The code of a chat answer alone; its tokens are then not known."""
    code = code_of_answer(given.text, given.prompt or "", entry_point, given.language)
    if code == given.text:
        return given
    return replace(given, text=code, token_ids=None, token_entropy_nats=None)


def _name(written: FileCompletion, given: CompletionText) -> str:
    """The file's own name of the task; the problem's, where the file has none."""
    return written.task_id if written.has_id or given.task_id is None else given.task_id


def _tasks_of(completions: Sequence[FileCompletion], asked: Tasks | None) -> tuple[Tasks | None, list[str]]:
    """The problems that prompts are taken from, and what is to be said of that."""
    if asked is not None:
        unknown = sum(asked.of(written) is None for written in completions)
        return asked, [f"not in the problem set: completions whose prompt is not known ({unknown})"] if unknown else []
    # Whoever writes the prompts, too, knows best.
    if all(written.prompt is not None for written in completions):
        return None, []
    for names in (*((name,) for name in SHIPPED), SHIPPED):
        shipped = Tasks(*_sets(names))
        if all(shipped.of(written) is not None for written in completions):
            return shipped, [f"prompts from {' and '.join(names)}, whose tasks these are"]
    return None, []


def _sets(names: Iterable[str]) -> list[ProblemSet]:
    from evalharness.problems import load_problems

    return [load_problems(name, environment=os.environ) for name in names]


def _tokens(path: Path) -> Tokens:
    from evalharness.completion_files.token_ids import Tokens
    from evalharness.models.torch.tokenizers import read_tokenizer_file

    return Tokens(path, read_tokenizer_file(path))


def _summary(completions: Sequence[Analysed]) -> Summary:
    from evalharness.statistics import share_interval

    flags: dict[str, list[bool]] = {}
    for completion in completions:
        flags.setdefault(completion.task_id, []).append(completion.degeneration.degenerate)
    kinds = Counter(c.degeneration.kind for c in completions if c.degeneration.degenerate and c.degeneration.kind)
    degenerate = sum(map(sum, flags.values()))
    return Summary(len(completions), degenerate, share_interval(flags), dict(sorted(kinds.items())))


def listed_forms(forms: Mapping[str, int]) -> str:
    """``EvalPlus``, or ``3 EvalPlus, 2 texts`` where there are several."""
    return ", ".join(forms if len(forms) == 1 else (f"{count} {form}" for form, count in forms.items()))
