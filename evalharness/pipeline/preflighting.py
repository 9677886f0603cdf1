"""Before the first step: the model as it is, with one batch of the loop, or with the first rows of its data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evalharness.errors import ManifestError
from evalharness.pipeline.loading import load_rows
from evalharness.progress import Silent, Watcher

if TYPE_CHECKING:
    from pathlib import Path

    from evalharness.diagnosis import Diagnosis


def preflight(
    module: Any, batch: Any, tokenizer: Any = None, *, seed: int = 0, watcher: Watcher | None = None
) -> Diagnosis:
    """Ask what a module and a batch, as the training loop has them, tell. See :func:`evalharness.preflight`."""
    from evalharness.diagnosis import evaluating, preflight_batch, read_batch, trainer_tokens
    from evalharness.generation import fastest_threads
    from evalharness.models.torch.model import live_model
    from evalharness.models.torch.tokenizers import wrap

    read = read_batch(batch)
    with evaluating(module):
        model = live_model(module, max(len(text.ids) for text in read.texts))
    known = None if tokenizer is None else wrap(tokenizer, type(tokenizer).__name__)
    tokens = trainer_tokens(tokenizer, module, None if known is None else known.render_chat)
    with evaluating(module), fastest_threads(model):
        return preflight_batch(model, read, known, tokens, seed=seed, watcher=watcher)


def preflight_manifest(path: Path, *, trust: bool, watcher: Watcher | None = None) -> Diagnosis:
    """Ask the same of the untrained model that a manifest describes, with the first rows of its data.

    Raises :class:`EvalHarnessError` where the manifest names no factory or no data.
    """
    from evalharness.diagnosis import Subject, evaluating, preflight_rows
    from evalharness.generation import fastest_threads
    from evalharness.models.torch.untrained import load_untrained
    from evalharness.settings.manifest import find_manifest, notes_on_code, read_manifest

    watcher = watcher or Silent()
    manifest = read_manifest(path) if path.suffix == ".toml" else find_manifest(path)
    if manifest.path is None:
        raise ManifestError(f"{path}: there is no evalharness.toml here or above: write one with [model] and [data]")
    if manifest.data.train is None and manifest.data.validation is None:
        raise ManifestError(f"{manifest.path}: [data] train is not named: preflight needs rows to give the model")
    for note in notes_on_code(manifest):
        watcher.say(note)
    untrained = load_untrained(manifest, trust=trust, watcher=watcher)
    train, validation = (
        None if file is None else load_rows(file, untrained, manifest, watcher)
        for file in (manifest.data.train, manifest.data.validation)
    )
    subject = Subject(
        untrained.model,
        untrained.tokenizer,
        begin_ids=untrained.begin_token_ids,
        end_ids=untrained.end_token_ids,
        prompt_template=manifest.model.prompt_template,
        train=train,
        validation=validation,
    )
    with evaluating(untrained.model.module), fastest_threads(untrained.model):
        return preflight_rows(subject, watcher)
