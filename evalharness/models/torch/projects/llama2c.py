"""llama2.c: ``ckpt.pt`` with ``model_args`` of a ``Transformer``, ``model.py`` and ``tokenizer.model`` above it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalharness.models.torch.projects.beside_model import from_model_file

if TYPE_CHECKING:
    from evalharness.models.torch.projects.proposal import Place, Proposal, Saved

PROJECT = "llama2.c"
PRIORITY = 30
_BEGIN_ID = 1


def propose(place: Place) -> Proposal | None:
    """The arguments are ``model_args``; every text begins with the begin token, as in training."""
    args = place.saved.get("model_args")
    if not isinstance(args, dict) or not {"dim", "n_layers"} <= args.keys():
        return None
    config: Saved = place.saved.get("config") or {}
    # A vocabulary of one's own is trained into a file that has its size in its name.
    own = f"data/tok{config.get('vocab_size')}.model"
    names = (own, "tokenizer.model") if config.get("vocab_source") == "custom" else ("tokenizer.model", own)
    tokenizer_file = place.find(*names)
    return from_model_file(
        place, PROJECT, args, tokenizer=None if tokenizer_file is None else str(tokenizer_file), begin_token=_BEGIN_ID
    )
