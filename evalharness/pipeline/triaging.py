"""``triage``: what a training log alone says of its run, with what small files beside it tell. Needs no torch."""

from __future__ import annotations

import dataclasses
import json
import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evalharness.pipeline.first_texts import first_texts
from evalharness.pipeline.loading import log_keys

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from evalharness.progress import Watcher
    from evalharness.records import Outcome
    from evalharness.settings.manifest import Manifest
    from evalharness.training_log import TrainingLog
    from evalharness.training_log.signs.of_losses import Known

CONFIGURATIONS = ("config.json", "adapter_config.json", "checkpoint-*/config.json", "checkpoint-*/adapter_config.json")
SIZES = ("vocab_size", "vocabulary_size", "n_vocab")
DROPOUTS = ("dropout", "resid_pdrop", "embd_pdrop", "attn_pdrop", "attention_dropout", "hidden_dropout", "lora_dropout")
TOKENIZER = "tokenizer.json"
CHARACTERS_COUNTED = 500_000
"""Of the training data so much is counted for the tokens' frequencies: some 100,000 tokens, half a second."""


@dataclass(frozen=True, slots=True)
class Triage:
    """What a log says: its losses, what is known beside them, the outcome of each sign, and what it can't tell."""

    log: TrainingLog
    known: Known
    outcomes: tuple[Outcome, ...]
    not_checked: tuple[str, ...]


def triage(paths: Sequence[Path], watcher: Watcher, *, run: str | None = None, given: Known | None = None) -> Triage:
    """Read the log, or the logs in one folder, and test every sign.

    ``given`` goes before what files beside the log say. Raises :class:`LogError` if a log can't be read.
    """
    from evalharness.settings.manifest import find_manifest
    from evalharness.training_log import read_named
    from evalharness.training_log.signs.of_losses import NOT_CHECKED, Known, signs

    manifest = find_manifest(paths[0])
    keys = log_keys(manifest.log)
    log = read_named(paths, dataclasses.replace(keys, run=run) if run else keys)
    for note in log.notes:
        watcher.say(note)
    known = _with(given or Known(), _known(log.files[0].path.parent, manifest))
    return Triage(log, known, signs(log, known), NOT_CHECKED)


def _with(given: Known, searched: Known) -> Known:
    """What is given, and what was found for the rest."""
    names = [field.name for field in dataclasses.fields(given)]
    both = {name: (getattr(given, name), getattr(searched, name)) for name in names}
    return dataclasses.replace(
        given, **{name: own if own is not None else other for name, (own, other) in both.items()}
    )


def _known(folder: Path, manifest: Manifest) -> Known:
    """What configurations, the tokenizer, the data and the manifest beside a log say."""
    from evalharness.training_log.signs.of_losses import Known

    places = list(dict.fromkeys([folder, folder.parent, manifest.folder]))
    files = [path for place in places for name in CONFIGURATIONS for path in sorted(place.glob(name))]
    files += [manifest.model.config] if manifest.model.config else []
    configurations = [*map(_json, files), manifest.model.args]
    sizes = [size for said in configurations for name in SIZES if isinstance(size := said.get(name), int)]
    dropouts = [p for said in configurations for name in DROPOUTS if isinstance(p := said.get(name), (int, float))]
    tokenizer = next((place / TOKENIZER for place in places if (place / TOKENIZER).is_file()), None)
    vocabulary = sizes[0] if sizes else None if tokenizer is None else _ids(_json(tokenizer))
    return Known(
        vocabulary,
        None if tokenizer is None or manifest.data.train is None else _unigram_nats(manifest.data.train, tokenizer),
        max(dropouts) if dropouts else None,
        manifest.loss.label_smoothing,
    )


def _json(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def _ids(tokenizer: dict[str, Any]) -> int | None:
    """How many ids the file of a tokenizer has: the highest and one."""
    model = tokenizer.get("model")
    vocabulary = model.get("vocab") if isinstance(model, dict) else None
    if not vocabulary:
        return None
    added = [token.get("id", -1) for token in tokenizer.get("added_tokens") or []]
    highest = max(vocabulary.values()) if isinstance(vocabulary, dict) else len(vocabulary) - 1
    return int(max([highest, *added])) + 1


def _unigram_nats(data: Path, tokenizer: Path) -> float | None:
    """The entropy of the frequencies of tokens in the first rows of the data, in nats; None if they can't be read."""
    from tokenizers import Tokenizer

    try:
        encodings = Tokenizer.from_file(str(tokenizer)).encode_batch(list(first_texts(data, CHARACTERS_COUNTED)))
    except Exception:  # noqa: BLE001 - the tokenizers' own reader raises no other class, and each form of data its own
        return None
    counts = Counter(token for encoding in encodings for token in encoding.ids)
    total = sum(counts.values())
    return -sum(count / total * math.log(count / total) for count in counts.values()) if total else None
