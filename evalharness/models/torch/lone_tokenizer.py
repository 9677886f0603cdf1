"""The tokenizer of a model whose weights are elsewhere, and how that model is asked."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from evalharness.models.torch.chat import asking
from evalharness.models.torch.factory import UserCode
from evalharness.models.torch.tokenizer_lookup import find_special_tokens, find_tokenizer

if TYPE_CHECKING:
    from pathlib import Path

    from evalharness.models.torch.chat import Asking, Chat
    from evalharness.models.torch.tokenizers import KnownTokenizer
    from evalharness.settings.manifest import Manifest


def tokenizer_alone(path: Path, manifest: Manifest, *, chat: Chat, trust: bool) -> tuple[KnownTokenizer, Asking]:
    """Read the tokenizer at ``path`` (a folder or a file); ``manifest`` may name special tokens and a template.

    Raises CheckpointError, one line, where there is none.
    """
    named = replace(manifest, model=replace(manifest.model, tokenizer=str(path.resolve())))
    tokenizer, _ = find_tokenizer(named, UserCode(manifest.folder), (), trust=trust)
    special = find_special_tokens(named, tokenizer, frozenset())
    return tokenizer, asking(manifest.model.prompt_template, tokenizer, special, chat)
