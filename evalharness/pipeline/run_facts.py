"""What is known of a training run beside its scores: data, model, method and schedule, from the files themselves."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from evalharness.errors import EvalHarnessError
from evalharness.pipeline.logged_facts import logged_facts
from evalharness.settings.manifest import as_seen_from_here

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from evalharness.pipeline.logged_facts import LoggedFacts
    from evalharness.records import LossPoint
    from evalharness.runs.run_record import DataFile, Fact
    from evalharness.settings.manifest import Manifest
    from evalharness.training_log import TrainingLog

LOG_SUFFIXES = frozenset({".log", ".txt", ".jsonl", ".json", ".csv"})
MOST_DECIMALS = 8
"""Of a printed loss: one with more of them was not rounded for print."""
NOT_RECORDED = "not recorded"
SPELT = {"LORA": "LoRA", "ADALORA": "AdaLoRA"}
"""Kinds of adapters as their papers spell them."""


def facts_of(
    manifest: Manifest,
    checkpoint: Path,
    log: TrainingLog | None,
    data: Sequence[DataFile] = (),
    parameters: int | None = None,
) -> list[Fact]:
    """Read from the manifest, a checkpoint's files and the log what a report says under "How it was trained".

    ``parameters`` is how many the whole model has, its adapter among them; None if that is not known.
    """
    losses, files = (log.points, [file.path for file in log.files]) if log else ((), [])
    base = (
        *(("Model", "Starts from", _loss_words(loss, losses)) for loss in (log.base_losses[-1:] if log else ())),
        *(("Model", "Base", text) for text in _base_words(manifest)),
    )
    logged = logged_facts(files)
    method = _method(checkpoint, manifest, logged, parameters)
    return [
        *_data(manifest, data),
        *_model(manifest, checkpoint),
        *base,
        *method,
        *_training(checkpoint, losses, logged),
    ]


def _data(manifest: Manifest, files: Sequence[DataFile]) -> Iterator[Fact]:
    data = manifest.data
    by_split = {file.split: file for file in files}
    for title, path, read in (
        ("Train", data.train, by_split.get("train")),
        ("Validation", data.validation, by_split.get("validation")),
    ):
        known = NOT_RECORDED if path is None else path.name
        yield "Data", title, known if read is None else f"{read.rows:,} rows ({known})"
    for file in files[:1]:
        origins = ", ".join(f"{origin} ({count:,})" for origin, count in file.origins)
        yield "Data", "Source, by the rows' ids or fields", origins or NOT_RECORDED
        form = ", ".join(f"{name}: {kind}" for name, kind in file.fields)
        yield "Data", "Form of a row", form or "plain text"
    keys = [key for key in (data.prompt_key, data.completion_key) if key]
    yield "Data", "Fields used", ", ".join(keys) if keys else "as found in the rows"
    said = dataclasses.asdict(manifest.loss)
    declared = [f"{name} = {str(value).lower()}" for name, value in said.items() if value is not None]
    yield "Data", "Loss, by the manifest", ", ".join(declared) or NOT_RECORDED


def _model(manifest: Manifest, checkpoint: Path) -> Iterator[Fact]:
    model = manifest.model
    code = None if model.factory is None else _from_here(model.factory, manifest)
    yield "Model", "Code", code or ("of transformers" if checkpoint.is_dir() else "found beside the weights")
    if model.args:
        yield "Model", "Arguments", ", ".join(f"{name} = {value}" for name, value in model.args.items())
    yield "Model", "Base weights", NOT_RECORDED if model.weights is None else model.weights.name
    tokenizer = None if model.tokenizer is None else _from_here(model.tokenizer, manifest)
    yield "Model", "Tokenizer", tokenizer or "beside the weights"


def _from_here(name: str, manifest: Manifest) -> str:
    """A name as the manifest has it; of a file elsewhere its path from here, for a report lies not beside either."""
    return as_seen_from_here(manifest.folder / name) if name.startswith("..") else name


def _base_words(manifest: Manifest) -> Iterator[str]:
    """The last step and validation loss of the base weights, by a log or a small file of their own beside them."""
    from evalharness.models.torch.sidecars import Sidecars

    weights = manifest.model.weights
    if weights is None:
        return
    logged = _losses_beside(weights)
    validation = [point for point in logged if point.split == "validation"]
    if validation:
        yield _loss_words(max(validation, key=lambda point: point.step), logged)
        return
    beside = Sidecars().of(weights)
    if beside.step is not None:
        known = "" if beside.val_loss is None else f", validation loss {beside.val_loss:g} nats"
        yield f"step {beside.step:,}{known} (recorded beside the weights)"


def _losses_beside(weights: Path) -> tuple[LossPoint, ...]:
    """The losses of the log that lies beside ``weights`` and is called like them; none without one that can be read."""
    from evalharness.pipeline.log_choice import is_called_like
    from evalharness.training_log import read_logs

    for log in sorted(path for path in weights.parent.glob("*") if path.suffix in LOG_SUFFIXES):
        if is_called_like(weights, log):
            with contextlib.suppress(EvalHarnessError):
                return read_logs([log]).points
    return ()


def _loss_words(loss: LossPoint, logged: Sequence[LossPoint]) -> str:
    value = _rounded_to_zero(logged) if loss.loss_nats == 0 else f"{loss.loss_nats:g}"
    return f"step {loss.step:,}, validation loss {value} nats ({loss.source})"


def _rounded_to_zero(logged: Sequence[LossPoint]) -> str:
    """What a logged 0 means, by the most decimals that any loss of its log has: ``"< 0.00005"``.

    A log that writes every digit of a float means 0 itself.
    """
    finite = [Decimal(repr(point.loss_nats)) for point in logged if math.isfinite(point.loss_nats)]
    decimals = max((-int(value.as_tuple().exponent) for value in finite if value), default=0)
    return f"< {Decimal(5).scaleb(-decimals - 1):f}" if 0 < decimals <= MOST_DECIMALS else "0"


def _method(checkpoint: Path, manifest: Manifest, logged: LoggedFacts, parameters: int | None) -> Iterator[Fact]:
    config = _json(checkpoint / "adapter_config.json") if checkpoint.is_dir() else {}
    if not config:
        share = logged.trained_share
        all_weights = "all weights, as far as the files tell"
        yield "Method", "Trained", all_weights if share is None else f"{share:.2%} of the parameters"
        return
    kind = str(config.get("peft_type", "PEFT"))
    yield "Method", "Adapter", SPELT.get(kind, kind)
    names = {"r": "Rank", "lora_alpha": "Alpha", "lora_dropout": "Dropout", "target_modules": "Target modules"}
    for key, name in names.items():
        value = config.get(key)
        listed = ", ".join(sorted(map(str, value))) if isinstance(value, list) else str(value)
        yield "Method", name, NOT_RECORDED if value is None else listed
    trained = _parameters(checkpoint / "adapter_model.safetensors")
    if parameters is None and trained is not None and manifest.model.weights is not None:
        base = _parameters(manifest.model.weights)
        parameters = None if base is None else trained + base
    share = logged.trained_share if trained is None or not parameters else trained / parameters
    of_all = "" if share is None else f" ({share:.2%} of all)"
    yield "Method", "Trained parameters", NOT_RECORDED if trained is None else f"{trained:,}{of_all}"


def _training(checkpoint: Path, log: Sequence[LossPoint], logged: LoggedFacts) -> Iterator[Fact]:
    state = _json(checkpoint / "trainer_state.json") if checkpoint.is_dir() else {}
    yield "Training", "Last step logged", f"{max(p.step for p in log):,}" if log else NOT_RECORDED
    planned = state.get("max_steps") or logged.planned_steps
    yield "Training", "Steps planned", f"{planned:,}" if planned else NOT_RECORDED
    epochs = [p.epoch for p in log if p.epoch is not None]
    yield "Training", "Epochs", f"{max(epochs):g}" if epochs else NOT_RECORDED
    yield "Training", "Duration", _duration_of(log, logged)
    speed = logged.steps_per_s
    yield "Training", "Steps per second", f"{speed:.3g}" if speed else NOT_RECORDED
    rates = [row["learning_rate"] for row in state.get("log_history", []) if "learning_rate" in row]
    rates += logged.rates
    yield "Training", "Highest learning rate", f"{max(rates):.3g}" if rates else NOT_RECORDED
    warm_up = logged.warm_up_steps
    yield "Training", "Warm-up", f"{warm_up:,} steps" if warm_up is not None else NOT_RECORDED
    batch = state.get("train_batch_size", logged.batch_size)
    yield "Training", "Batch size", NOT_RECORDED if batch is None else f"{batch:,}"
    validated = [p.step for p in log if p.split == "validation"]
    yield "Training", "Validation passes logged", f"{len(validated):,}" if validated else NOT_RECORDED


def _duration_of(log: Sequence[LossPoint], logged: LoggedFacts) -> str:
    """By the times of the losses, else as the log says, else by its speed."""
    times = [p.time_s for p in log if p.time_s is not None]
    if len(times) > 1:
        return _duration(max(times) - min(times))
    if logged.run_time_s is not None:
        return _duration(logged.run_time_s)
    steps = [p.step for p in log]
    if logged.steps_per_s and steps:
        return f"about {_duration((max(steps) - min(steps)) / logged.steps_per_s)}, by its speed"
    return NOT_RECORDED


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _json(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def _parameters(path: Path) -> int | None:
    """How many numbers a safetensors file holds, from its header alone."""
    from math import prod

    from safetensors import safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            return sum(int(prod(file.get_slice(name).get_shape())) for name in file.keys())  # noqa: SIM118 - no mapping
    except (OSError, ValueError):
        return None
