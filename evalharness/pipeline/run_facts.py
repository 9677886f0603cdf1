"""What is known of a training run beside its scores: data, model, method and schedule, from the files themselves."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

from evalharness.pipeline.logged_facts import logged_facts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from evalharness.pipeline.logged_facts import LoggedFacts
    from evalharness.records import LossPoint
    from evalharness.runs.run_record import Fact
    from evalharness.settings.manifest import Manifest
    from evalharness.training_log import TrainingLog

NOT_RECORDED = "not recorded"
SPELT = {"LORA": "LoRA", "ADALORA": "AdaLoRA"}
"""Kinds of adapters as their papers spell them."""


def facts_of(manifest: Manifest, checkpoint: Path, log: TrainingLog | None) -> list[Fact]:
    """Read from the manifest, a checkpoint's files and the log what a report says under "How it was trained"."""
    losses, files = (log.points, [file.path for file in log.files]) if log else ((), [])
    base = _base(log.base_losses[-1]) if log and log.base_losses else ()
    logged = logged_facts(files)
    method = _method(checkpoint, manifest, logged)
    return [*_data(manifest), *_model(manifest, checkpoint), *base, *method, *_training(checkpoint, losses, logged)]


def _data(manifest: Manifest) -> Iterator[Fact]:
    data = manifest.data
    for name, path in (("Train", data.train), ("Validation", data.validation)):
        yield "Data", name, NOT_RECORDED if path is None else _rows(path)
    keys = [key for key in (data.prompt_key, data.completion_key) if key]
    yield "Data", "Fields used", ", ".join(keys) if keys else "as found in the rows"
    said = dataclasses.asdict(manifest.loss)
    known = [f"{name} = {str(value).lower()}" for name, value in said.items() if value is not None]
    yield "Data", "Loss, by the manifest", ", ".join(known) or NOT_RECORDED


def _rows(path: Path) -> str:
    if path.suffix not in {".jsonl", ".ndjson"}:
        return path.name
    with path.open("rb") as file:
        return f"{sum(bool(line.strip()) for line in file):,} rows ({path.name})"


def _model(manifest: Manifest, checkpoint: Path) -> Iterator[Fact]:
    model = manifest.model
    yield "Model", "Code", model.factory or ("of transformers" if checkpoint.is_dir() else "found beside the weights")
    if model.args:
        yield "Model", "Arguments", ", ".join(f"{name} = {value}" for name, value in model.args.items())
    yield "Model", "Base weights", NOT_RECORDED if model.weights is None else model.weights.name
    yield "Model", "Tokenizer", model.tokenizer or "beside the weights"


def _base(loss: LossPoint) -> Iterator[Fact]:
    """What the log says of the model that training starts from."""
    yield "Model", "Starts from", f"step {loss.step:,}, validation loss {loss.loss_nats:g} nats ({loss.source})"


def _method(checkpoint: Path, manifest: Manifest, logged: LoggedFacts) -> Iterator[Fact]:
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
    base = None if manifest.model.weights is None else _parameters(manifest.model.weights)
    share = logged.trained_share if trained is None or base is None else trained / (trained + base)
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
