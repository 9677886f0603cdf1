"""From a path to everything that a score needs: checkpoint, settings, problems, logged losses."""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING, Any

from evalharness.errors import EvalHarnessError
from evalharness.options import ScoreOptions, resolve
from evalharness.pipeline.work import Work

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from evalharness.checkpoints import Checkpoint
    from evalharness.diagnosis import DataRow, TokenRow
    from evalharness.interfaces import Watcher
    from evalharness.manifest import Manifest
    from evalharness.problems import ProblemSet
    from evalharness.records import LossPoint


def load(path: Path, asked: Mapping[str, Any], watcher: Watcher) -> Work:
    """Load it all, the cheap things first, so that a mistake in them is told at once."""
    from evalharness.manifest import find_manifest

    manifest = find_manifest(path)
    options = resolve(asked, manifest.score)
    sets = load_problem_sets(options)
    log, rows = read_logs(path, manifest), read_data(manifest, watcher)
    checkpoint = load_model(path, manifest, options, watcher)
    return Work(checkpoint, manifest, options, sets, watcher, log, encode_data(rows, checkpoint, manifest, watcher))


def load_model(path: Path, manifest: Manifest, options: ScoreOptions, watcher: Watcher) -> Checkpoint:
    """Load the checkpoint and say what was run, chosen and assumed."""
    from evalharness.checkpoints import load_checkpoint
    from evalharness.manifest import notes_on_code

    code_notes = notes_on_code(manifest)
    for note in code_notes:  # said before the code runs
        watcher.say(note)
    checkpoint = load_checkpoint(
        path, manifest, step=options.step, device=options.device, dtype=options.dtype, trust=options.trust
    )
    for note in checkpoint.info.notes:
        if note not in code_notes:
            watcher.say(note)
    millions = checkpoint.info.parameters / 1e6
    watcher.say(f"{checkpoint.info.kind}, {millions:.2f}M parameters, {checkpoint.dtype} on {checkpoint.device}")
    return checkpoint


def load_problem_sets(options: ScoreOptions) -> list[ProblemSet]:
    """Load the sets that were asked for. Raises :class:`EvalHarnessError` where two share a name or a task."""
    from evalharness.problems import load_problems

    sets = [
        load_problems(name, limit=options.limit, mbpp_path=options.mbpp, environment=os.environ)
        for name in dict.fromkeys(options.problems)
    ]
    names = Counter(problem_set.name for problem_set in sets)
    tasks = Counter(problem.task_id for problem_set in sets for problem in problem_set.problems)
    twice = [name for name, count in (names + tasks).items() if count > 1]
    if twice:
        raise EvalHarnessError(f"{twice[0]!r} is in two of the problem sets {', '.join(options.problems)}: rename one")
    return sets


def read_logs(path: Path, manifest: Manifest) -> list[LossPoint]:
    """Read the manifest's logs, or those that lie in the checkpoint's folder or the one above it."""
    from evalharness.training_log import find_logs, read_log

    files = list(manifest.log.path)
    if not files:
        start = path if path.is_dir() else path.parent
        files = find_logs(start) or find_logs(start.parent)
    return [point for file in files for point in read_log(file)]


def read_data(manifest: Manifest, watcher: Watcher) -> list[DataRow]:
    """Read the validation rows that the manifest names; none where it names none."""
    from evalharness.diagnosis import read_rows

    data = manifest.data
    if data.validation is None:
        return []
    return read_rows(data.validation, data.prompt_key, data.completion_key, say=watcher.say)


def encode_data(rows: list[DataRow], checkpoint: Checkpoint, manifest: Manifest, watcher: Watcher) -> list[TokenRow]:
    """Encode the validation rows as they are trained on; the prompt counts unless the manifest says that it doesn't."""
    from evalharness.diagnosis import tokenize

    return tokenize(
        rows,
        checkpoint.tokenizer,
        context_length=checkpoint.context_length,
        begin=checkpoint.begin_token_ids,
        count_prompt=manifest.loss.count_prompt is not False,
        say=watcher.say,
    )


def run_name(path: Path, work: Work) -> str:
    """``<run>/<step>``: the series' folder and the step, or the checkpoint's own name where it stands alone."""
    from evalharness.checkpoints import find_series, locate

    located = locate(path, work.manifest, work.options.step).path.resolve()
    folder = path.resolve()
    if folder == located:
        in_series = any(step.path.resolve() == located for step in find_series(located.parent, work.manifest))
        folder = located.parent if in_series else located
    step = work.checkpoint.info.step
    return f"{folder.stem if folder.is_file() else folder.name}/{'final' if step is None else f'step_{step}'}"
