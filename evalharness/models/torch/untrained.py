"""A model as a manifest describes it before any training: its factory's module, or what training starts from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from evalharness.errors import ManifestError
from evalharness.models.torch.base_models import load_huggingface, named_weights
from evalharness.models.torch.checkpoint_loading import check_trusted, forward_of
from evalharness.models.torch.context_length import find_context
from evalharness.models.torch.factory import UserCode, build
from evalharness.models.torch.model import UncachedModel, call_module, way_to_call
from evalharness.models.torch.placement import OWN
from evalharness.models.torch.tokenizer_lookup import find_special_tokens, find_tokenizer

if TYPE_CHECKING:
    from torch import nn

    from evalharness.models.protocols import Tokenizer, TorchModel
    from evalharness.models.torch.model import Forward
    from evalharness.progress import Watcher
    from evalharness.settings.manifest import Manifest


@dataclass(frozen=True, slots=True)
class Untrained:
    """A model that no checkpoint was loaded into, and its tokenizer."""

    model: TorchModel
    tokenizer: Tokenizer
    begin_token_ids: tuple[int, ...]
    end_token_ids: frozenset[int]
    context_length: int | None


def load_untrained(manifest: Manifest, *, trust: bool, watcher: Watcher | None = None) -> Untrained:
    """Build the factory's module, or load the Hugging Face model under [model] weights, which training starts from.

    A model of the hub is downloaded; ``watcher`` sees it. Raises ManifestError or CheckpointError where neither is
    there, and UntrustedError where code would be run that nobody asked for.
    """
    check_trusted(manifest, Path.cwd(), trust)
    code = UserCode(manifest.folder)
    module, forward, folder = _module(manifest, code, watcher, trust=trust)
    with code.running(), code.explained("forward on ids (2, 3)"):
        forward, shape, _ = way_to_call(
            module, forward, str(manifest.path), has_forward_key=manifest.model.forward is not None
        )
    tokenizer, _ = find_tokenizer(manifest, code, [manifest.folder, folder], trust=trust)
    special = find_special_tokens(manifest, tokenizer, frozenset())
    settings = manifest.model
    context = find_context(module, forward, shape, manifest=settings.context_length, args=settings.args).length
    model = UncachedModel(
        module, forward=code.guarded(forward), context_length=context, vocabulary_rows=shape.vocabulary_rows
    )
    return Untrained(model, tokenizer, special.begin, special.end, context)


def _module(
    manifest: Manifest, code: UserCode, watcher: Watcher | None, *, trust: bool
) -> tuple[nn.Module, Forward, Path]:
    """The module, the way to call it, and the folder that may hold its tokenizer."""
    settings = manifest.model
    if settings.factory is not None:
        module = build(code, code.load(settings.factory, "factory"), settings)
        return module.eval(), forward_of(manifest, code, call_module)[0], manifest.folder
    folder, _ = named_weights(manifest, watcher) or (manifest.folder, "")
    if not (folder / "config.json").is_file():
        raise ManifestError(f"{manifest.path}: [model] factory is not named, and {folder} holds no config.json")
    base = load_huggingface(folder, OWN, trust=trust)
    return base.module.eval(), base.forward, folder
