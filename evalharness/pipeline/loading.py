"""From a path to everything that a score needs: checkpoint, settings, problems, logged losses."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from evalharness.errors import EvalHarnessError
from evalharness.pipeline.shared import Shared
from evalharness.pipeline.target import model_loader
from evalharness.pipeline.work import Work

if TYPE_CHECKING:
    from collections.abc import Hashable

    from evalharness.diagnosis import DataRow, Split, TokenRow
    from evalharness.extensions import Extension
    from evalharness.models.endpoint import ServedModel
    from evalharness.models.torch import Checkpoint
    from evalharness.models.torch.untrained import Untrained
    from evalharness.pipeline.target import Target
    from evalharness.problems import ProblemSet
    from evalharness.progress import Watcher
    from evalharness.records import LogChoice, LossPoint
    from evalharness.settings.manifest import LogSettings, Manifest
    from evalharness.settings.score import ScoreOptions
    from evalharness.training_log import LogKeys, TrainingLog


SPELLED = "def area(r):\n\treturn 3.14159 * r**2  # Fläche, 面積 \n\n"
"""A text on which tokenizers differ: indentation, numbers, signs, letters beyond ASCII, blanks at ends of lines."""


def load(target: Target, watcher: Watcher, shared: Shared | None = None) -> Work:
    """Load it all, the cheap things first, so that a mistake in them is reported at once.

    ``shared`` is what other steps of the same run have made already.
    """
    from evalharness.pipeline.log_choice import choose_log
    from evalharness.progress import Silent

    manifest, options = target.manifest, target.options
    for note in manifest.notes:
        watcher.say(note)
    sets = load_problem_sets(options)
    choice = choose_log(target.place, manifest, options.log)
    logged = read_choice(choice, manifest.log, watcher)
    check_data(manifest)
    served, checkpoint = load_served(target, watcher)
    manifest = replace(manifest, data=checkpoint.data or manifest.data)
    shared = shared or Shared()
    train, validation = (
        load_split(file, checkpoint, manifest, watcher, shared)
        for file in (manifest.data.train, manifest.data.validation)
    )
    if logged is not None and logged.in_bits_per_byte:
        manifest = replace(manifest, log=in_nats(logged, manifest.log, checkpoint, validation or train, watcher))
        logged = read_choice(choice, manifest.log, Silent())
    points = () if logged is None else logged.points
    log = list(up_to(checkpoint.info.step, points))
    work = Work(target, checkpoint, manifest, options, sets, watcher, log, train, validation, choice, served, shared)
    known = set(log)
    work.later = tuple(point for point in points if point not in known)
    return work


def load_served(target: Target, watcher: Watcher) -> tuple[ServedModel | None, Checkpoint]:
    """Load the checkpoint, and shake hands with the engine that is to write its completions, if another is."""
    from evalharness.pipeline.serving import check_engine, server_alone, with_server

    if target.options.backend == "torch":
        return None, load_model(target, watcher)
    check_engine(target)
    if target.is_server_alone:
        return server_alone(target, watcher)
    checkpoint = load_model(target, watcher)
    return with_server(target, checkpoint, watcher), checkpoint


def load_model(target: Target, watcher: Watcher) -> Checkpoint:
    """Load the checkpoint and say what was run, chosen and assumed."""
    loader, faults = model_loader(target.path)
    for fault in faults:
        watcher.say(fault)
    if loader is not None:
        return _load_by(loader, target, watcher)
    # Before torch is imported: that alone takes seconds.
    watcher.stage("loading the checkpoint", 1)
    from evalharness.models.torch import load_checkpoint
    from evalharness.settings.manifest import notes_on_code

    options, code_notes = target.options, notes_on_code(target.manifest)
    for note in code_notes:  # said before the code runs
        watcher.say(note)
    checkpoint = load_checkpoint(
        target.path,
        target.manifest,
        located=target.located,
        device=options.device,
        dtype=options.dtype,
        trust=options.trust,
        chat=options.chat,
        watcher=watcher,
    )
    watcher.advance()
    for note in checkpoint.info.notes:
        if note not in code_notes:
            watcher.say(note)
    size = _size_words(checkpoint.info.parameters or 0)
    watcher.say(f"{checkpoint.info.kind}, {size} parameters, {checkpoint.dtype} on {checkpoint.device}")
    return checkpoint


def _size_words(parameters: int) -> str:
    """How many parameters, in millions where that is a number to read."""
    return f"{parameters / 1e6:.2f}M" if parameters >= 1e6 else f"{parameters:,}"


def _load_by(loader: Extension, target: Target, watcher: Watcher) -> Checkpoint:
    watcher.say(f"loaded by {loader}")
    options = target.options
    checkpoint: Checkpoint = loader.guarded.load(
        target.path, step=options.step, device=options.device, dtype=options.dtype
    )
    return checkpoint


def load_problem_sets(options: ScoreOptions) -> list[ProblemSet]:
    """Load the sets that were asked for. Raises :class:`EvalHarnessError` where two share a name or a task."""
    from evalharness.problems import load_problems

    asked = tuple(dict.fromkeys(options.problems))
    sets = [
        load_problems(name, limit=options.limit, paths=options.problem_paths or {}, environment=os.environ)
        for name in asked
    ]
    names = Counter(problem_set.name for problem_set in sets)
    tasks = Counter(problem.task_id for problem_set in sets for problem in problem_set.problems)
    twice = next((name for name, count in (names + tasks).items() if count > 1), None)
    if twice is not None:
        of_it = [name for name, problem_set in zip(asked, sets, strict=True) if _holds(problem_set, twice)]
        raise EvalHarnessError(f"{twice!r} is in {len(of_it)} problem sets, {' and '.join(of_it)}: rename one")
    return sets


def _holds(problem_set: ProblemSet, name: str) -> bool:
    """Whether a set or one of its tasks has this name."""
    return name in {problem_set.name, *(problem.task_id for problem in problem_set.problems)}


def check_k(options: ScoreOptions, watcher: Watcher) -> None:
    """Say which pass@k can't be computed for lack of completions. Raises :class:`EvalHarnessError` if none can."""
    most = max(1, options.samples)
    lacking = [k for k in options.k if k > most]
    if not lacking:
        return
    listed = ", ".join(f"pass@{k}" for k in lacking)
    needs = f"{listed} needs --samples {max(lacking)}, and {options.samples} are sampled of each problem"
    if len(lacking) == len(options.k):
        raise EvalHarnessError(f"{needs}: give --samples {min(lacking)} or more, or --k {most} or less")
    watcher.say(f"left out: {needs}")


def losses_of(choice: LogChoice | None, settings: LogSettings, watcher: Watcher) -> tuple[LossPoint, ...]:
    """The losses of :func:`read_choice`."""
    log = read_choice(choice, settings, watcher)
    return () if log is None else log.points


def read_choice(choice: LogChoice | None, settings: LogSettings, watcher: Watcher) -> TrainingLog | None:
    """Read the logs that were chosen; none is no fault, and those of another checkpoint are not read.

    One that can't be read does not stop a score: the watcher is told, and what needs it is not testable.
    """
    from evalharness.errors import LogError
    from evalharness.report.log_words import log_words
    from evalharness.training_log import read_found, read_logs

    if choice is None:
        return None
    if not choice.is_read:
        watcher.say(f"no training log: {log_words(choice)}")
        return None
    read = read_logs if choice.relation == "named" else read_found
    try:
        log = read(tuple(map(Path, choice.files)), log_keys(settings))
    except LogError as error:
        watcher.say(f"no training log: {error}")
        return None
    for note in log.notes:
        watcher.say(note)
    return log


def in_nats(
    log: TrainingLog, settings: LogSettings, checkpoint: Checkpoint, split: Split | None, watcher: Watcher
) -> LogSettings:
    """The settings that convert bits per byte, by the bytes that a token has in ``split``; as they are without one."""
    converted = f"{', '.join(log.in_bits_per_byte)}: converted from bits per byte,"
    mean = bytes_of_a_token(split, checkpoint, converted, watcher)
    return settings if mean is None else replace(settings, bytes_per_token=mean)


def bytes_of_a_token(split: Split | None, checkpoint: Checkpoint, converted: str, watcher: Watcher) -> float | None:
    """The bytes that a token has in ``split``; it is said that something is ``converted`` with them. None without."""
    from evalharness.diagnosis import bytes_per_token

    mean = None if split is None else bytes_per_token(split, checkpoint.tokenizer, checkpoint.end_token_ids)
    if mean is None or split is None:
        return None
    watcher.say(f"{converted} with the {mean:.3f} bytes that a token has in {split.source}")
    return mean


def log_keys(settings: LogSettings) -> LogKeys:
    """What a manifest says of the names in its logs."""
    from evalharness.training_log import LogKeys

    names = ("step", "train", "validation", "run", "bytes_per_token", "iterations_per_step")
    return LogKeys(**{name: getattr(settings, name) for name in names})


def up_to(step: int | None, points: tuple[LossPoint, ...]) -> tuple[LossPoint, ...]:
    """The losses that were logged by the time of a checkpoint: what came after says nothing of it.

    All of them where its step isn't known, or counts otherwise than the log does: where none is logged up to it.
    """
    until = points if step is None else tuple(point for point in points if point.step <= step)
    return until or points


def check_data(manifest: Manifest) -> None:
    """Open the files of data, so that one that is missing is told before a model is loaded."""
    for name, path in (("train", manifest.data.train), ("validation", manifest.data.validation)):
        if path is not None and not path.exists():
            raise EvalHarnessError(f"{manifest.path}: [data] {name}: there is no {path}")


def load_split(
    path: Path | None, checkpoint: Checkpoint, manifest: Manifest, watcher: Watcher, shared: Shared
) -> Split | None:
    """The rows of a file as they are trained on; None where the manifest names none.

    Encoding a large file takes minutes: steps of a run whose tokenizers are the same share it.
    """
    if path is None:
        return None
    read = partial(load_rows, path, checkpoint, manifest, watcher)
    return shared.split(path, _way_to_read(checkpoint, manifest), read) if path.is_file() else read()


def _way_to_read(checkpoint: Checkpoint, manifest: Manifest) -> Hashable:
    """Everything that says what ids a row becomes: a tokenizer by its digest, and by what it makes of a text and turns.

    The digest of some tokenizers is of their vocabulary alone.
    """
    tokenizer = checkpoint.tokenizer
    digest, render = getattr(tokenizer, "digest", None), getattr(tokenizer, "render_chat", None)
    return (
        id(tokenizer) if digest is None else digest(),
        _ids_or_none(checkpoint, SPELLED),
        None if render is None else render([{"role": "user", "content": SPELLED}], False),
        (checkpoint.begin_token_ids, tuple(sorted(checkpoint.end_token_ids)), checkpoint.context_length),
        (repr(manifest.data), manifest.loss.count_prompt),
    )


def _ids_or_none(checkpoint: Checkpoint, text: str) -> tuple[int, ...] | None:
    try:
        return tuple(checkpoint.tokenizer.encode(text))
    except ValueError:
        return None


def load_rows(path: Path, checkpoint: Checkpoint | Untrained, manifest: Manifest, watcher: Watcher) -> Split:
    """Read the rows of a file and encode them as they are trained on.

    The prompt counts unless the manifest says that it doesn't; diagnosis tries it both ways.
    """
    from evalharness.diagnosis import Split, each_text, holds_ids, is_token_file, read_rows

    if is_token_file(path):
        return _token_split(path, checkpoint, watcher)
    if holds_ids(path):
        return _id_split(path, checkpoint, watcher)
    keys = manifest.data
    render = getattr(checkpoint.tokenizer, "render_chat", None)
    rows = read_rows(path, keys.prompt_key, keys.completion_key, render=render, say=watcher.say)
    encoded = _encoded(rows, checkpoint, manifest, watcher)
    every_text = partial(each_text, path, keys.prompt_key, keys.completion_key)
    if keys.packed:
        rows = [replace(row, running=True) for row in rows]
    return Split(tuple(rows), tuple(encoded), path.name, every_text, file=path)


def _token_split(path: Path, checkpoint: Checkpoint | Untrained, watcher: Watcher) -> Split:
    """A file of ids, as they are."""
    from evalharness.diagnosis import Split, each_token_text, read_token_rows

    rows, encoded = read_token_rows(path, checkpoint.tokenizer, checkpoint.context_length, watcher.say)
    return Split(tuple(rows), tuple(encoded), path.name, partial(each_token_text, path, checkpoint.tokenizer))


def _id_split(path: Path, checkpoint: Checkpoint | Untrained, watcher: Watcher) -> Split:
    """Rows of ids, with what counts in them."""
    from evalharness.diagnosis import Split, each_id_text, read_id_rows

    found = read_id_rows(path, checkpoint.tokenizer, checkpoint.context_length, watcher.say)
    if found.not_kept:
        kept = len(found.rows)
        watcher.say(f"{path.name}: {kept:,} of {kept + found.not_kept:,} rows of the data are kept in it")
    every_text = partial(each_id_text, path, checkpoint.tokenizer)
    return Split(found.rows, found.encoded, path.name, every_text, found.not_kept)


def _encoded(
    rows: list[DataRow], checkpoint: Checkpoint | Untrained, manifest: Manifest, watcher: Watcher
) -> list[TokenRow]:
    """The rows as ids, cut to the context; joined before they are cut if training packed them."""
    from evalharness.diagnosis import packed, tokenize

    context, is_packed = checkpoint.context_length, manifest.data.packed
    encoded = tokenize(
        rows,
        checkpoint.tokenizer,
        context_length=None if is_packed else context,
        begin=checkpoint.begin_token_ids,
        count_prompt=manifest.loss.count_prompt is not False,
        say=watcher.say,
    )
    if not is_packed or context is None:
        return encoded
    return packed(encoded, context, _token_between_rows(checkpoint))


def _token_between_rows(checkpoint: Checkpoint | Untrained) -> int | None:
    """The end token of a packed row; none where each row begins with one, which ends the row before it."""
    begins_with_end = bool(checkpoint.end_token_ids.intersection(checkpoint.begin_token_ids))
    return None if begins_with_end else min(checkpoint.end_token_ids, default=None)
